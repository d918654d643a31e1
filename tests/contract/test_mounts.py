"""A directory on file systems that people keep data on, against `RemoteSuite`: XFS and btrfs, really mounted."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dvtool.disk.clone import reflink
from dvtool.remote.address import Address
from dvtool.remote.conformance.bench import MIB
from dvtool.remote.drivers.local import LocalRemote
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from tests.support.mounts import mounted
from tests.support.servers import unavailable


@pytest.fixture(scope="module", params=["xfs", "btrfs"])
def mount(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with mounted(tmp_path_factory.mktemp("mount"), request.param) as folder:
        if folder is None:
            unavailable(f"{request.param} takes root, the right to mount, and mkfs.{request.param}")
        yield folder


class TestMount(RemoteSuite):
    large = 8 * MIB
    many = 300

    @pytest.fixture
    def root(self, mount: Path) -> Path:
        folder = next(path for number in itertools.count() if not (path := mount / str(number)).exists())
        folder.mkdir()
        return folder

    @pytest.fixture
    def address(self, root: Path) -> Address:
        return Address("origin", os.fspath(root), {}, b"/", {})

    @pytest.fixture
    def open_absent(self, mount: Path) -> OpenClient:
        return lambda: LocalRemote("origin", os.fsencode(mount / "not mounted/remote"))

    def test_its_files_share_their_blocks(self, root: Path) -> None:
        (root / "source").write_bytes(b"x" * MIB)
        with (root / "source").open("rb") as source, (root / "target").open("wb") as target:
            assert reflink(source.fileno(), target.fileno())
        assert (root / "target").read_bytes() == b"x" * MIB

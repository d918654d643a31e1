"""The remotes of every installation against `RemoteSuite`, bare, behind each wrapper and as users get them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.model.ports import Capabilities
from dvtool.remote.address import Address
from dvtool.remote.counting import CountingRemote
from dvtool.remote.drivers.local import LocalRemote
from dvtool.remote.fsspec_driver import FsspecLayout
from dvtool.remote.fsspec_driver import FsspecRemote
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.retry import RetryingRemote
from dvtool.remote.table import open_bare
from dvtool.remote.table import open_remote
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from dvtool.testing.remote_suite import Wrap
from tests.support.seaweed import Seaweed

WRAPPERS: dict[str, Wrap] = {"retry": RetryingRemote, "counting": CountingRemote}


class TestDirectory(RemoteSuite):
    @pytest.fixture
    def address(self, tmp_path: Path) -> Address:
        (tmp_path / "remote").mkdir()
        return Address("origin", os.fspath(tmp_path / "remote"), {}, b"/", {})

    @pytest.fixture
    def open_absent(self, tmp_path: Path) -> OpenClient:
        return lambda: LocalRemote("origin", os.fsencode(tmp_path / "not mounted/remote"))


class TestDirectoryAsUsed(TestDirectory):
    many = 16

    @pytest.fixture
    def open_client(self, address: Address) -> OpenClient:
        return lambda: open_remote(address)


class TestFsspec(RemoteSuite):
    many = 300

    @pytest.fixture(params=["direct", "staged", "no ranges"])
    def layout(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def open_client(self, layout: str) -> OpenClient:
        return memory_client(layout, "/bucket/prefix", "/bucket")

    @pytest.fixture
    def open_absent(self, layout: str) -> OpenClient:
        return memory_client(layout, "/bucket/prefix", "/another")


class TestWrapped(TestFsspec):
    many = 16

    @pytest.fixture
    def layout(self) -> str:
        return "direct"

    @pytest.fixture(params=WRAPPERS)
    def wrap(self, request: pytest.FixtureRequest) -> Wrap:
        return WRAPPERS[request.param]


def memory_client(layout: str, root: str, container: str) -> OpenClient:
    from fsspec.implementations.memory import MemoryFileSystem

    # The plain class keeps its files for the whole process.
    memory = type("Memory", (MemoryFileSystem,), {"store": {}, "pseudo_dirs": [""], "cachable": False})
    memory().makedirs("/bucket/prefix")
    capabilities = Capabilities(create_only=layout == "direct", ranges=layout != "no ranges", server_time=False)
    where = FsspecLayout(root=root, container=container, staged=layout == "staged")
    return lambda: FsspecRemote(Place("origin", "memory"), "memory://bucket/prefix", memory, where, capabilities)


@pytest.mark.s3
class TestS3(RemoteSuite):
    @pytest.fixture
    def address(self, seaweed: Seaweed) -> Address:
        return Address("origin", f"{seaweed.new_url()}/some/prefix", seaweed.settings, b"/", {})

    @pytest.fixture
    def open_absent(self, seaweed: Seaweed) -> OpenClient:
        return lambda: open_bare(Address("origin", "s3://no-such-bucket/x", seaweed.settings, b"/", {}))

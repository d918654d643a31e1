"""The remotes of every installation against `RemoteSuite`, bare, behind each wrapper and as users get them."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dvtool.errors import StorageError
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


@pytest.mark.s3
class TestS3WithOwnKey(TestS3):
    """The server encrypts with a key that each request brings."""

    many = 1_100

    @pytest.fixture
    def address(self, seaweed: Seaweed) -> Address:
        settings = {**seaweed.settings, "sse_customer_key": "k" * 32}
        return Address("origin", f"{seaweed.new_url()}/some/prefix", settings, b"/", {})

    def test_nothing_can_be_read_without_the_key(self, address: Address, seaweed: Seaweed, tmp_path: Path) -> None:
        (tmp_path / "large").write_bytes(b"x" * (9 << 20))
        with closing(open_bare(address)) as remote:
            remote.put("small", b"value")
            remote.put_file("large", bytes(tmp_path / "large"))
            assert remote.get("large", 8 << 20, 5) == b"xxxxx"
        with closing(open_bare(replace(address, settings=seaweed.settings))) as remote:
            for key in ("small", "large"):
                with pytest.raises(StorageError):
                    remote.get(key)


@pytest.mark.s3
def test_s3_encrypts_what_is_put_in_one_request_and_in_parts(seaweed: Seaweed, tmp_path: Path) -> None:
    url = seaweed.new_url()
    (tmp_path / "large").write_bytes(b"x" * (9 << 20))
    with closing(open_bare(Address("origin", url, {**seaweed.settings, "sse": "AES256"}, b"/", {}))) as remote:
        remote.put("small", b"value")
        remote.put("once", b"value", create_only=True)
        remote.put_file("large", bytes(tmp_path / "large"))
        assert remote.get("large") == b"x" * (9 << 20)
    with seaweed.client() as client:
        for key in ("small", "once", "large"):
            bucket, _, prefix = url.removeprefix("s3://").partition("/")
            assert client.head_object(Bucket=bucket, Key=f"{prefix}/{key}")["ServerSideEncryption"] == "AES256"

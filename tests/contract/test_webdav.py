"""WebDAV: nginx and SeaweedFS."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import ExitStack
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pytest

from dvtool.errors import AccessDenied
from dvtool.errors import StorageError
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.conformance.bench import Bench
from dvtool.remote.drivers.webdav.driver import WebDavRemote
from dvtool.remote.table import open_bare
from dvtool.testing.remote_suite import CHECKS
from dvtool.testing.remote_suite import Check
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from tests.support.nginx import PASSWORD
from tests.support.nginx import USER
from tests.support.nginx import Nginx
from tests.support.seaweed import Seaweed


class Client(Protocol):
    def __call__(self, url: str, settings: Mapping[str, str] | None = None) -> Remote: ...


def opened(url: str, settings: Mapping[str, str] | None = None) -> Remote:
    return open_bare(Address("origin", url, settings or {}, b"/", {}))


@pytest.fixture
def client() -> Iterator[Client]:
    """Opens remotes that are closed with the test."""
    with ExitStack() as stack:
        yield lambda url, settings=None: stack.enter_context(closing(opened(url, settings)))


class TestNginx(RemoteSuite):
    many = 300

    @pytest.fixture
    def address(self, nginx: Nginx) -> Address:
        return Address("origin", nginx.url(nginx.new_place(), "dav", "webdav"), {}, b"/", {})

    @pytest.fixture
    def open_absent(self, nginx: Nginx) -> OpenClient:
        return lambda: opened(nginx.url("nobody/made/this", "dav", "webdav"))


class TestSeaweed(RemoteSuite):
    many = 300
    large = 12 << 20

    @pytest.mark.parametrize("check", CHECKS, ids=[check.name for check in CHECKS])
    def test_remote(self, bench: Bench, check: Check) -> None:
        if check.name == "one-key":
            pytest.skip("SeaweedFS takes the old value away before it moves the new one to its place")
        check.run(bench)

    @pytest.fixture
    def address(self, seaweed: Seaweed) -> Address:
        return Address("origin", seaweed.new_webdav_url(), {}, b"/", {})

    @pytest.fixture
    def open_absent(self, seaweed: Seaweed) -> OpenClient:
        return lambda: opened(f"{seaweed.webdav}/nobody/made/this")


@pytest.fixture
def place(nginx: Nginx) -> str:
    return nginx.new_place()


def test_login_over_tls(client: Client, nginx: Nginx, place: str) -> None:
    url = nginx.url(place, "dav-login", "webdavs")
    settings = {"user": USER, "password": PASSWORD, "ssl_verify": str(nginx.authority)}
    remote = client(url, settings)
    assert remote.put("data/ab/k", b"value")
    assert [item.key for item in remote.list("")] == ["data/ab/k"]
    with pytest.raises(AccessDenied, match="401") as refused:
        client(url, settings | {"password": "wrong"}).put("k", b"x")
    assert USER in (refused.value.hint or "")


def test_a_value_costs_two_requests_and_a_directory_one(
    client: Client, nginx: Nginx, place: str, tmp_path: Path
) -> None:
    remote = client(nginx.url(place, "dav", "webdav"))
    (tmp_path / "f").write_bytes(b"x" * 1_000_000)
    remote.put_file("data/ab/k1", bytes(tmp_path / "f"))
    assert [line.split()[0] for line in nginx.requests(place)] == ["PROPFIND", "MKCOL", "PUT", "MOVE"]
    remote.put_file("data/ab/k2", bytes(tmp_path / "f"))
    assert [line.split()[0] for line in nginx.requests(place)][4:] == ["PUT", "MOVE"]


def test_the_first_put_makes_the_directory_but_no_more(client: Client, nginx: Nginx, place: str) -> None:
    remote = client(nginx.url(f"{place}/new", "dav", "webdav"))
    with pytest.raises(StorageError, match="does not exist"):
        list(remote.list(""))
    assert remote.put("k", b"x")
    assert nginx.directory(place).joinpath("new/k").read_bytes() == b"x"
    with pytest.raises(StorageError, match="does not exist"):
        client(nginx.url(f"{place}/other/new", "dav", "webdav")).put("k", b"x")
    assert not nginx.directory(place).joinpath("other").exists()


def test_a_server_that_only_reads(client: Client, nginx: Nginx, place: str) -> None:
    with pytest.raises(StorageError, match="405"):
        client(nginx.url(place, "dav-readonly", "webdav")).put("k", b"x")


def test_a_plain_web_server(client: Client, nginx: Nginx, place: str) -> None:
    with pytest.raises(StorageError, match="405"):
        list(client(nginx.url(place, "files", "webdav")).list(""))


def test_unfinished_uploads_are_found_and_removed(client: Client, nginx: Nginx, place: str) -> None:
    remote = client(nginx.url(place, "dav", "webdav"))
    assert isinstance(remote, WebDavRemote)
    assert list(remote.unfinished()) == []
    remote.put("k", b"x")
    (nginx.directory(place) / "tmp" / "0123").write_bytes(b"half")
    (left,) = remote.unfinished()
    assert (left.key, left.size) == ("tmp/0123", 4)
    remote.discard(left)
    remote.discard(left)
    assert list(remote.unfinished()) == []
    assert [item.key for item in remote.list("")] == ["k"]

"""HDFS by its own protocol and over HTTP, on a NameNode and a DataNode. One file, for they take long to start."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.table import open_bare
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from tests.support.bodyfaults import find_every_fault
from tests.support.hadoop import USER
from tests.support.hadoop import Hadoop
from tests.support.remotekinds import Kind
from tests.support.remotestory import Where
from tests.support.remotestory import nobody_listens
from tests.support.remotestory import refuses_absent_server
from tests.support.remotestory import refuses_credentials
from tests.support.remotestory import run_story

SCHEMES = ("hdfs", "webhdfs")


def opened(url: str, settings: dict[str, str] | None = None) -> Remote:
    return open_bare(Address("origin", url, {"user": USER} if settings is None else settings, b"/", {}))


class TestHdfs(RemoteSuite):
    many = 24
    large = 12 << 20

    @pytest.fixture
    def address(self, hadoop: Hadoop) -> Address:
        return Address("origin", hadoop.new_url("hdfs"), {"user": USER}, b"/", {})

    @pytest.fixture
    def open_absent(self, hadoop: Hadoop) -> OpenClient:
        return lambda: opened(hadoop.url("hdfs", "/nobody/made/this"))


class TestWebHdfs(RemoteSuite):
    many = 24
    large = 12 << 20

    @pytest.fixture
    def address(self, hadoop: Hadoop) -> Address:
        return Address("origin", hadoop.new_url("webhdfs"), {"user": USER}, b"/", {})

    @pytest.fixture
    def open_absent(self, hadoop: Hadoop) -> OpenClient:
        return lambda: opened(hadoop.url("webhdfs", "/nobody/made/this"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_fault_is_found(hadoop: Hadoop, tmp_path: Path, scheme: str) -> None:
    find_every_fault(tmp_path, Kind(Where(hadoop.new_url(scheme), {"user": USER}, {})))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_story(hadoop: Hadoop, tmp_path: Path, scheme: str) -> None:
    run_story(tmp_path, hadoop.new_url(scheme), {"user": USER})


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_refused(hadoop: Hadoop, tmp_path: Path, scheme: str) -> None:
    place = hadoop.new_place()
    hadoop.make(place, mode="755")
    with closing(opened(hadoop.url(scheme, f"{place}/new"))) as remote:
        with pytest.raises(AccessDenied, match="ermission") as refused:
            remote.put("k", b"x")
        assert f"user {USER}" in (refused.value.hint or "")
    place = hadoop.new_place()
    hadoop.make(place, mode="700")
    refuses_credentials(tmp_path, hadoop.url(scheme, place), {"user": USER}, words=["ermission"], hint=["tried", USER])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_server_that_is_not_there(tmp_path: Path, scheme: str) -> None:
    with nobody_listens() as port:
        refuses_absent_server(tmp_path, f"{scheme}://127.0.0.1:{port}/x", {"user": USER}, words=[f"127.0.0.1:{port}"])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("rest", ["", "host", "/x", "h:x/y", "h:0/x"])
def test_what_is_no_url(scheme: str, rest: str) -> None:
    url = f"{scheme}://{rest}"
    with pytest.raises(ConfigError):
        opened(url)

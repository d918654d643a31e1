"""A protocol without a driver of its own, by its URL: FTP through fsspec."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvtool.remote.address import Address
from dvtool.remote.table import open_bare
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from tests.support.ftpd import PASSWORD
from tests.support.ftpd import Ftpd
from tests.support.ftpd import ftpd
from tests.support.remotestory import nobody_listens
from tests.support.remotestory import refuses_absent_server
from tests.support.remotestory import refuses_credentials
from tests.support.remotestory import run_story

__all__ = ["ftpd"]


class TestFtp(RemoteSuite):
    many = 50

    @pytest.fixture
    def address(self, ftpd: Ftpd) -> Address:
        return Address("origin", ftpd.new_url(), ftpd.settings, b"/", {})

    @pytest.fixture
    def open_absent(self, ftpd: Ftpd) -> OpenClient:
        url = f"{ftpd.new_url()}/no/such/directory"
        return lambda: open_bare(Address("origin", url, ftpd.settings, b"/", {}))


def test_story(tmp_path: Path, ftpd: Ftpd) -> None:
    run_story(tmp_path, ftpd.new_url(), ftpd.settings)


def test_the_password_comes_from_netrc(tmp_path: Path, ftpd: Ftpd) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login ann password {PASSWORD}\n")
    address = Address("origin", ftpd.new_url(), {}, b"/", {"NETRC": str(netrc)})
    remote = open_bare(address)
    assert remote.put("k", b"x")
    remote.close()


def test_wrong_password(tmp_path: Path, ftpd: Ftpd) -> None:
    refuses_credentials(
        tmp_path,
        ftpd.new_url(),
        {"fs_options": '{"password": "hush-hush"}'},
        words=["origin", "Authentication failed"],
        hint=["ann"],
        hidden=["hush-hush"],
    )


def test_nobody_listens(tmp_path: Path) -> None:
    with nobody_listens() as port:
        refuses_absent_server(tmp_path, f"ftp://ann@127.0.0.1:{port}/x", words=["origin", "127.0.0.1"])

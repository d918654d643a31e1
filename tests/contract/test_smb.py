"""A folder of an SMB share against `RemoteSuite`."""

from __future__ import annotations

import pytest

from dvtool.remote.address import Address
from dvtool.remote.table import open_bare
from dvtool.remote.table import open_remote
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from tests.support.samba import Samba


class TestSmb(RemoteSuite):
    @pytest.fixture
    def address(self, samba: Samba) -> Address:
        return Address("origin", samba.new_url(), samba.settings, b"/", {})

    @pytest.fixture
    def open_absent(self, samba: Samba) -> OpenClient:
        url = samba.url("no such/folder")
        return lambda: open_bare(Address("origin", url, samba.settings, b"/", {}))


class TestSmbAsUsed(TestSmb):
    many = 16

    @pytest.fixture
    def open_client(self, address: Address) -> OpenClient:
        return lambda: open_remote(address)

"""An SSH server's directory against `RemoteSuite`."""

from __future__ import annotations

import pytest

from dvtool.remote.address import Address
from dvtool.remote.table import open_bare
from dvtool.remote.table import open_remote
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from tests.support.sshd import Sshd


class TestSsh(RemoteSuite):
    @pytest.fixture
    def address(self, sshd: Sshd) -> Address:
        return Address("origin", sshd.new_url(), sshd.settings, b"/", sshd.environment)

    @pytest.fixture
    def open_absent(self, sshd: Sshd) -> OpenClient:
        url = sshd.url("/no such/directory")
        return lambda: open_bare(Address("origin", url, sshd.settings, b"/", sshd.environment))


class TestSshAsUsed(TestSsh):
    many = 16

    @pytest.fixture
    def open_client(self, address: Address) -> OpenClient:
        return lambda: open_remote(address)

"""Azure Blob Storage, on Azurite."""

from __future__ import annotations

import pytest

from dvtool.remote.address import Address
from dvtool.remote.drivers.azure import driver
from dvtool.remote.table import open_bare
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from tests.support.azurite import Azurite
from tests.support.azurite import azurite

__all__ = ["azurite"]


class TestAzure(RemoteSuite):
    large = 20 << 20
    many = 64

    @pytest.fixture(autouse=True)
    def short_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(driver, "_PAGE", 10)

    @pytest.fixture
    def address(self, azurite: Azurite) -> Address:
        return Address("origin", f"{azurite.new_url()}/some/path", azurite.settings, b"/", {})

    @pytest.fixture
    def open_absent(self, azurite: Azurite) -> OpenClient:
        return lambda: open_bare(Address("origin", "azure://no-such-container/x", azurite.settings, b"/", {}))

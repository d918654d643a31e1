"""Google Cloud Storage, on fake-gcs-server."""

from __future__ import annotations

import pytest

from dvtool.remote.address import Address
from dvtool.remote.drivers.gcs import driver
from dvtool.remote.table import open_bare
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from tests.support.fakegcs import FakeGcs
from tests.support.fakegcs import fakegcs

__all__ = ["fakegcs"]


class TestGcs(RemoteSuite):
    large = 20 << 20
    many = 64

    @pytest.fixture(autouse=True)
    def short_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(driver, "_PAGE", 10)

    @pytest.fixture
    def address(self, fakegcs: FakeGcs) -> Address:
        return Address("origin", f"{fakegcs.new_url()}/some/path", fakegcs.settings, b"/", {})

    @pytest.fixture
    def open_absent(self, fakegcs: FakeGcs) -> OpenClient:
        return lambda: open_bare(Address("origin", "gs://no-such-bucket/x", fakegcs.settings, b"/", {}))

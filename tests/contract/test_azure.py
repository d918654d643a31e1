"""Azure Blob Storage, on Azurite."""

from __future__ import annotations

import pytest

from dvtool.errors import AccessDenied
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.drivers.azure import driver
from dvtool.remote.table import open_bare
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from tests.support.azurite import ACCOUNT
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


def opened(url: str, settings: dict[str, str], environ: dict[str, str] | None = None) -> Remote:
    return open_bare(Address("origin", url, settings, b"/", environ or {}))


def test_a_connection_string_is_enough(azurite: Azurite) -> None:
    url = azurite.new_url()
    writer = opened(url, {}, {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string})
    reader = opened(url, {"connection_string": azurite.connection_string})
    try:
        writer.put("k", b"value")
        assert reader.get("k") == b"value"
    finally:
        writer.close()
        reader.close()


def test_a_signature_for_the_container_alone(azurite: Azurite) -> None:
    settings = {"endpointurl": azurite.endpoint, "account_name": ACCOUNT, "sas_token": f"?{azurite.sas_token('rwdl')}"}
    remote = opened(azurite.new_url(), settings)
    try:
        assert remote.stat("k") is None
        remote.put("k", b"value")
        assert [item.key for item in remote.list("")] == ["k"]
        remote.delete("k")
        remote.delete("k")
    finally:
        remote.close()


@pytest.mark.parametrize("settings", ["sas_token", "allow_anonymous_login"])
def test_who_may_not_write_hears_what_was_tried(azurite: Azurite, settings: str) -> None:
    value = azurite.sas_token("rl") if settings == "sas_token" else "true"
    url = azurite.new_url()
    remote = opened(url, {"endpointurl": azurite.endpoint, "account_name": ACCOUNT, settings: value})
    try:
        with pytest.raises(AccessDenied) as refused:
            remote.put("k", b"value")
    finally:
        remote.close()
    assert settings in str(refused.value.hint)
    assert "sig=" not in f"{refused.value} {refused.value.hint}".replace("sig=***", "")

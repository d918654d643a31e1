"""Google Cloud Storage, on fake-gcs-server."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.drivers.gcs import driver
from dvtool.remote.drivers.gcs import upload
from dvtool.remote.failures import TransientError
from dvtool.remote.table import open_bare
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from tests.support.fakegcs import FakeGcs
from tests.support.fakegcs import fakegcs
from tests.support.gcsession import breaking
from tests.support.googlelogin import TOKEN
from tests.support.googlelogin import GoogleLogin
from tests.support.googlelogin import google_key
from tests.support.googlelogin import googlelogin
from tests.support.remotestory import noise

__all__ = ["fakegcs", "google_key", "googlelogin"]


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


def opened(url: str, settings: dict[str, str]) -> Remote:
    return open_bare(Address("origin", url, settings, b"/", {}))


def test_a_key_file_becomes_a_token(googlelogin: GoogleLogin, tmp_path: Path) -> None:
    key = googlelogin.key_file(tmp_path / "key.json")
    settings = {"endpointurl": googlelogin.url, "credentialpath": str(key), "projectname": "payer"}
    remote = opened("gs://bucket/path", settings)
    try:
        with pytest.raises(AccessDenied, match="does not have storage") as refused:
            list(remote.list("data/"))
        with pytest.raises(AccessDenied):
            remote.put("k", b"value")
    finally:
        remote.close()
    assert str(key) in str(refused.value.hint)
    listed, written = googlelogin.requests
    assert listed[0].startswith("GET /storage/v1/b/bucket/o?prefix=path/data/")
    assert written[0].startswith("POST /upload/storage/v1/b/bucket/o?")
    for line, token in (listed, written):
        assert "userProject=payer" in line
        assert token == f"Bearer {TOKEN}"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"type": "service_account"}', '{"type": "external_account"'])
def test_a_file_that_is_no_key(fakegcs: FakeGcs, tmp_path: Path, text: str) -> None:
    (tmp_path / "key.json").write_text(text)
    remote = opened(fakegcs.new_url(), {**fakegcs.settings, "credentialpath": str(tmp_path / "key.json")})
    try:
        with pytest.raises(ConfigError, match="credentials cannot be read"):
            remote.stat("k")
    finally:
        remote.close()


def test_an_upload_goes_on_where_it_was_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "backoff", lambda *_: 0.0)
    size = upload.SMALL + 5
    large = tmp_path / "large"
    large.write_bytes(noise("large", size))
    with breaking([0, 3 << 20, 1]) as session:
        remote = opened("gs://bucket", {"endpointurl": session.url})
        try:
            remote.put_file("data/large", bytes(large))
        finally:
            remote.close()
    assert bytes(session.held) == large.read_bytes()
    asked = f"bytes */{size}"
    sent = [f"bytes {at}-{size - 1}/{size}" for at in (0, 0, 3 << 20, (3 << 20) + 1)]
    assert session.asked == [sent[0], asked, sent[1], asked, sent[2], asked, sent[3]]


def test_an_upload_that_gets_nowhere_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "backoff", lambda *_: 0.0)
    (tmp_path / "large").write_bytes(noise("large", upload.SMALL + 1))
    with breaking([0] * 50) as session:
        remote = opened("gs://bucket", {"endpointurl": session.url})
        try:
            with pytest.raises(TransientError):
                remote.put_file("data/large", bytes(tmp_path / "large"))
        finally:
            remote.close()
    assert len(session.asked) < 20

from __future__ import annotations

import pytest

from dvtool.errors import ConfigError
from dvtool.errors import UnsafeInput
from dvtool.remote.address import Address
from dvtool.remote.drivers.gcs.options import GcsOptions
from dvtool.remote.drivers.gcs.options import parse_gcs


def parsed(url: str, settings: dict[str, str] | None = None, environ: dict[str, str] | None = None) -> GcsOptions:
    return parse_gcs(Address("origin", url, settings or {}, b"/base", environ or {}))


@pytest.mark.parametrize("scheme", ["gs", "gcs"])
def test_bucket_and_path(scheme: str) -> None:
    options = parsed(f"{scheme}://my-bucket/some//path/", {"projectname": "who-pays"})
    assert (options.bucket, options.prefix, options.shown) == ("my-bucket", "some/path/", "gs://my-bucket/some/path")
    assert (options.endpoint, options.project) == ("https://storage.googleapis.com", "who-pays")
    assert not options.anonymous


@pytest.mark.parametrize(
    ("settings", "environ", "anonymous", "path"),
    [
        ({}, {}, False, None),
        ({"credentialpath": "key.json"}, {"GOOGLE_APPLICATION_CREDENTIALS": "/other"}, False, "/base/key.json"),
        ({}, {"GOOGLE_APPLICATION_CREDENTIALS": "/other"}, False, "/other"),
        ({"allow_anonymous_login": "true", "credentialpath": "key.json"}, {}, True, None),
        ({"endpointurl": "https://private.example"}, {}, False, None),
        ({"endpointurl": "http://private.example", "credentialpath": "key.json"}, {}, True, None),
        ({"endpointurl": "http://127.0.0.1:1", "credentialpath": "key.json"}, {}, False, "/base/key.json"),
        ({"endpointurl": "http://127.0.0.1:1"}, {"GOOGLE_APPLICATION_CREDENTIALS": "/other"}, True, None),
        ({}, {"STORAGE_EMULATOR_HOST": "localhost:9023"}, True, None),
    ],
)
def test_tokens_travel_by_tls_only(
    settings: dict[str, str], environ: dict[str, str], anonymous: bool, path: str | None
) -> None:
    options = parsed("gs://bucket", settings, environ)
    assert (options.anonymous, options.credential_path) == (anonymous, path)
    assert ("no credentials" in options.place.tried) == anonymous


@pytest.mark.parametrize("url", ["gs://", "gs://Upper/x", "gs://bucket/../x", "gs://bucket/x#1", "gs://b/x"])
def test_what_is_no_bucket(url: str) -> None:
    with pytest.raises(ConfigError):
        parsed(url)


def test_no_password_in_the_url() -> None:
    with pytest.raises(UnsafeInput):
        parsed("gs://user:secret@bucket/x")

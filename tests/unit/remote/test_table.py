from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dvtool.errors import ConfigError
from dvtool.errors import UnsafeInput
from dvtool.remote.address import Address
from dvtool.remote.redact import redact
from dvtool.remote.table import open_remote
from dvtool.remote.table import served_scheme

HEAVY = {"s3fs", "fsspec", "aiohttp", "aiobotocore", "botocore"}


@pytest.mark.parametrize(
    ("url", "directory"),
    [
        ("store", "store"),
        ("../store", "../store"),
        ("./-odd", "-odd"),
        ("file:///{base}/deep/store", "deep/store"),
        ("{base}/absolute", "absolute"),
        ("file:///{base}/with%20space", "with space"),
    ],
)
def test_directories_are_relative_to_the_configuration(tmp_path: Path, url: str, directory: str) -> None:
    base = tmp_path / "repo"
    remote = open_remote(
        Address("o", url.format(base=str(base).lstrip("/") if "://" in url else base), {}, bytes(base), {})
    )
    assert remote.url == os.path.normpath(base / directory)


@pytest.mark.parametrize(
    "url",
    ["ext::sh -c true", "S4://b", "file://host/share", "~/store", "", "a\0b", "s3://", "s3:///x", "ftp://host"],
)
def test_what_no_driver_serves_is_refused(url: str) -> None:
    with pytest.raises((ConfigError, UnsafeInput)):
        open_remote(Address("o", url, {}, b"/base", {}))


def test_the_schemes_that_exist_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        open_remote(Address("o", "s4://bucket/x", {}, b"/base", {}))
    assert "s3://" in str(caught.value.hint)


@pytest.mark.parametrize("url", ["s3://", "gs:///", "ssh://", "https://", "az://", "smb:////"])
def test_a_url_names_a_place(url: str) -> None:
    with pytest.raises(ConfigError, match="names no place") as caught:
        served_scheme("o", url)
    assert f"{url.partition(':')[0]}://PLACE/PATH" in str(caught.value.hint)


@pytest.mark.parametrize(
    "url", ["-oProxyCommand=x", "simplecache::s3://b/x", "zip://a::file:///b", "s3://key:hush@b/x"]
)
def test_what_could_start_something_else_is_unsafe(url: str) -> None:
    with pytest.raises(UnsafeInput) as caught:
        open_remote(Address("o", url, {}, b"/base", {}))
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"access_key_id": "only half"},
        {"endpointurl": "ftp://host"},
        {"endpointurl": "http://host:99999"},
        {"endpointurl": "no url"},
        {"use_ssl": "perhaps"},
        {"read_timeout": "soon"},
        {"connect_timeout": "-1"},
        {"addressing_style": "sideways"},
    ],
)
def test_wrong_settings_are_named(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        open_remote(Address("o", "s3://bucket/x", settings, b"/base", {}))
    assert next(iter(settings)).partition("_id")[0] in str(caught.value)


def test_a_password_in_the_endpoint_is_refused_unseen() -> None:
    with pytest.raises(UnsafeInput) as caught:
        open_remote(Address("o", "s3://bucket/x", {"endpointurl": "http://me:hush@host"}, b"/base", {}))
    assert "hush" not in f"{caught.value} {caught.value.hint}"


def test_the_shown_url_has_no_double_slash() -> None:
    assert open_remote(Address("o", "s3://bucket//a//b/", {}, b"/base", {})).url == "s3://bucket/a/b"
    assert open_remote(Address("o", "s3://bucket", {}, b"/base", {})).url == "s3://bucket"


@pytest.mark.parametrize(("url", "absent"), [("s3://bucket/x", HEAVY), ("directory", HEAVY | {"asyncio", "sqlite3"})])
def test_opening_loads_no_driver(url: str, absent: set[str]) -> None:
    program = (
        "import sys\n"
        "from dvtool.remote.address import Address\n"
        "from dvtool.remote.table import open_remote\n"
        f"open_remote(Address('o', {url!r}, {{}}, b'/base', {{}}))\n"
        f"print(sorted({absent!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pass@host/x", "https://***@host/x"),
        ("https://token@host/x?y=1", "https://***@host/x?y=1"),
        ("ssh://git@host:22/x", "ssh://***@host:22/x"),
        ("https://h/x?X-Amz-Signature=abc&X-Amz-Date=1", "https://h/x?X-Amz-Signature=***&X-Amz-Date=1"),
        ("secret_access_key = wJalr", "secret_access_key = ***"),
        ("Authorization: Bearer eyJhbGciOi", "Authorization: ***"),
        ("https://h/x?sig=a%2Bb&sv=2", "https://h/x?sig=***&sv=2"),
        ("cannot reach https://a:b@h1/ and https://c:d@h2/", "cannot reach https://***@h1/ and https://***@h2/"),
        ("s3://bucket/path/a@b", "s3://bucket/path/a@b"),
        ("nothing to hide: 12 tokens", "nothing to hide: 12 tokens"),
    ],
)
def test_secrets_are_not_shown(text: str, shown: str) -> None:
    assert redact(text) == shown

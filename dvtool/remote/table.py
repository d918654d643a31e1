"""Which driver serves which URL. The table is explicit: no plug-in is found by chance."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from dvtool.errors import ConfigError
from dvtool.errors import UnsafeInput
from dvtool.model.ports import Remote
from dvtool.remote.local import LocalRemote
from dvtool.remote.redact import redact
from dvtool.remote.retry import RetryingRemote

SCHEMES = ("file", "s3")
"""What may stand before ``://``; a URL without it is a directory."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://", re.ASCII)


def open_remote(
    name: str, url: str, settings: Mapping[str, str], base_dir: bytes, environ: Mapping[str, str]
) -> Remote:
    """The remote *name* at *url*, with retries. Nothing is contacted before the first call.

    *settings* are the keys below ``remote.NAME``; a relative directory is resolved against
    *base_dir*. Raises `ConfigError` for a scheme or a setting that is not known, `UnsafeInput`
    for a URL that could start something else than a driver.
    """
    scheme = scheme_of(name, url)
    if scheme in ("", "file"):
        return RetryingRemote(LocalRemote(name, _directory(name, url, base_dir)))
    if scheme == "s3":
        from dvtool.remote.s3 import S3Remote
        from dvtool.remote.s3_options import parse_s3

        return RetryingRemote(S3Remote(name, parse_s3(name, url, settings, base_dir, environ)))
    raise ConfigError(
        f"remote {name}: no driver for {scheme}:// in {redact(url)}",
        hint="known are: a directory, " + ", ".join(f"{known}://" for known in SCHEMES),
    )


def scheme_of(name: str, url: str) -> str:
    """The scheme in lower case, empty for a plain path; raises for what is no remote's URL."""
    if not url or _CONTROL.search(url):
        raise ConfigError(f"remote {name}: the URL is empty or not a text")
    if url.startswith("-"):
        raise UnsafeInput(f"remote {name}: {redact(url)} begins with '-'", hint="write ./ before a directory")
    if "::" in url:
        raise UnsafeInput(
            f"remote {name}: chained URLs are refused: {redact(url)}", hint="write a directory or s3://BUCKET/PATH"
        )
    match = _SCHEME.match(url)
    return match[1].lower() if match else ""


def _directory(name: str, url: str, base_dir: bytes) -> bytes:
    path = os.fsencode(url)
    if url[:7].lower() == "file://":
        host, slash, rest = url[7:].partition("/")
        if host not in ("", "localhost") or not slash:
            raise ConfigError(f"remote {name}: {redact(url)} names a host: write file:///absolute/path")
        path = b"/" + unquote_to_bytes(rest)
    if path == b"~" or path.startswith(b"~/"):
        raise ConfigError(f"remote {name}: ~ is not expanded in {url}: write the whole path")
    return os.path.normpath(os.path.join(base_dir, path))

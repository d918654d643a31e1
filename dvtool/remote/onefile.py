"""One file that a URL names, whatever it is called: read as a value of a remote."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.keys import is_key
from dvtool.remote.redact import redact
from dvtool.remote.table import governed
from dvtool.remote.table import open_remote
from dvtool.remote.table import served_scheme

if TYPE_CHECKING:
    from dvtool.remote.drivers.http.driver import HttpRemote

_KEY = "file"


def open_one(address: Address) -> tuple[Remote, str]:
    """The remote to ask, and the key of the file that ``address.url`` names. Nothing is contacted.

    Raises `UsageError` for a URL that names none, `UnsafeInput`, `ConfigError`.
    """
    scheme = served_scheme(address.name, address.url)
    shown = redact(address.url)
    if address.url.endswith("/"):
        raise UsageError(f"{shown} is a directory: a single file can be brought by its URL")
    if scheme in ("http", "https"):
        return governed(_web(address, scheme), address), _KEY
    if scheme in ("", "file"):
        return governed(_local(address), address), _KEY
    from dataclasses import replace

    base, _, name = address.url.rpartition("/")
    if base.endswith("/") or not name:
        raise UsageError(f"{shown} names no file")
    if not is_key(name):
        raise UnsafeInput(
            f"{shown}: only names of letters, digits, `.`, `_` and `-` can be read there",
            hint="copy it under another name, or download it by other means and `dvtool add` it",
        )
    return open_remote(replace(address, url=base)), name


def _web(address: Address, scheme: str) -> HttpRemote:
    from dataclasses import replace

    from dvtool.remote.drivers.http.driver import HttpRemote
    from dvtool.remote.drivers.http.options import parse_web

    parts = urlsplit(address.url)
    options = parse_web(replace(address, url=f"{parts.scheme}://{parts.netloc}"), scheme)
    rest = parts.path + (f"?{parts.query}" if parts.query else "")
    options = replace(options, url=redact(address.url))

    class OneFile(HttpRemote):
        def _at(self, path: str) -> str:  # noqa: ARG002 - there is only one
            return options.base + rest

    return OneFile(options)


def _local(address: Address) -> Remote:
    from dvtool.remote.drivers.local import LocalRemote

    path = os.path.join(address.base_dir, os.fsencode(address.url.removeprefix("file://")))

    class OneFile(LocalRemote):
        def _path(self, key: str) -> bytes:  # noqa: ARG002 - there is only one
            return path

    return OneFile(address.name, os.path.dirname(path))

"""Files and directories that a URL names, whoever put them there: read as values of a remote."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote
from urllib.parse import urlsplit

from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.keys import ANY
from dvtool.remote.keys import Keyed
from dvtool.remote.keys import is_key
from dvtool.remote.redact import redact
from dvtool.remote.table import governed
from dvtool.remote.table import open_bare
from dvtool.remote.table import served_scheme

if TYPE_CHECKING:
    from dvtool.remote.drivers.http.driver import HttpRemote

_KEY = "file"
_WEB = ("http", "https")
_ESCAPED = ("hdfs", "sftp", "smb", "ssh", "webdav", "webdavs", "webhdfs")
"""Their URLs are written with ``%20``; those of object stores hold names as they are."""


def open_file(address: Address) -> tuple[Remote, str]:
    """The remote to ask, and the key of the file that ``address.url`` names. Nothing is contacted.

    Raises `UsageError` for a URL that names none, `UnsafeInput`, `ConfigError`.
    """
    scheme = served_scheme(address.name, address.url)
    if scheme in _WEB:
        return governed(_web(address, scheme), address), _KEY
    if is_local(address):
        folder, last = os.path.split(local_path(address))
        return _local(address, folder), ANY.key(os.fsdecode(last))
    base, _, name = address.url.rpartition("/")
    if base.endswith("/") or not name:
        raise UsageError(f"{redact(address.url)} names no file")
    key = ANY.key(unquote(name) if scheme in _ESCAPED else name)
    address = replace(address, url=base)
    driver = open_bare(address)
    if isinstance(driver, Keyed):
        driver.keys = ANY
    elif not is_key(key):
        raise UnsafeInput(
            f"{redact(address.url)}/{name}: only names of letters, digits, `.`, `_` and `-` can be read there",
            hint="copy it under another name, or download it by other means and `dvtool add` it",
        )
    return governed(driver, address), key


def open_directory(address: Address) -> Remote:
    """The remote whose keys are the files below the directory, or the prefix, that ``address.url`` names.

    Nothing is contacted. Raises `UsageError` for a server that cannot list, `UnsafeInput`, `ConfigError`.
    """
    scheme = served_scheme(address.name, address.url)
    if scheme in _WEB:
        raise UsageError(
            f"{redact(address.url)}: a web server does not say which files a directory has",
            hint="name one file; a directory can be read by s3://, gs://, az://, ssh://, webdav:// and such",
        )
    if is_local(address):
        return _local(address, local_path(address))
    address = replace(address, url=address.url.rstrip("/"))
    driver = open_bare(address)
    if not (isinstance(driver, Keyed) and driver.capabilities.listing):
        raise UsageError(
            f"{redact(address.url)}: directories of this kind of server cannot be read by their URL",
            hint="download it by other means and `dvtool add` it",
        )
    driver.keys = ANY
    return governed(driver, address)


def _web(address: Address, scheme: str) -> HttpRemote:
    from dvtool.remote.drivers.http.driver import HttpRemote
    from dvtool.remote.drivers.http.options import parse_web
    from dvtool.remote.quiet import quiet_libraries

    quiet_libraries()
    parts = urlsplit(address.url)
    options = parse_web(replace(address, url=f"{parts.scheme}://{parts.netloc}"), scheme)
    rest = parts.path + (f"?{parts.query}" if parts.query else "")
    options = replace(options, url=redact(address.url))

    class OneFile(HttpRemote):
        def _at(self, path: str) -> str:  # noqa: ARG002 - there is only one
            return options.base + rest

    return OneFile(options)


def is_local(address: Address) -> bool:
    """Whether it lies on this disk."""
    return served_scheme(address.name, address.url) in ("", "file")


def local_path(address: Address) -> bytes:
    """What is meant on this disk, absolute. Raises `ConfigError`."""
    from dvtool.remote.drivers.local import directory_of

    return directory_of(address)


def _local(address: Address, folder: bytes) -> Remote:
    from dvtool.remote.drivers.local import LocalRemote

    driver = LocalRemote(address.name, folder)
    driver.keys = ANY
    return governed(driver, address)

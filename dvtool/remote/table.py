"""Which driver serves which URL. The table is explicit: no plug-in is found by chance."""

from __future__ import annotations

import re
from importlib import import_module

from dvtool.errors import ConfigError
from dvtool.errors import UnsafeInput
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.address import SettingsReader
from dvtool.remote.meter import Meter
from dvtool.remote.meter import Streaming
from dvtool.remote.metered import MeteredRemote
from dvtool.remote.pace import GROWTH
from dvtool.remote.pace import Pace
from dvtool.remote.paced import PacedRemote
from dvtool.remote.redact import redact
from dvtool.remote.retry import RetryingRemote

_DRIVERS = {
    "": "local",
    "abfs": "azure",
    "abfss": "azure",
    "az": "azure",
    "azure": "azure",
    "file": "local",
    "gcs": "gcs",
    "gdrive": "gdrive",
    "gs": "gcs",
    "hdfs": "hdfs",
    "hf": "hf",
    "http": "http",
    "https": "http",
    "lfs+http": "lfs",
    "lfs+https": "lfs",
    "oss": "oss",
    "s3": "s3",
    "sftp": "ssh",
    "smb": "smb",
    "ssh": "ssh",
    "webdav": "webdav",
    "webdavs": "webdav",
    "webhdfs": "webhdfs",
}
"""Scheme, and the module of `dvtool.remote.drivers` whose ``open_driver(Address) -> Remote`` serves it."""

SCHEMES = tuple(scheme for scheme in _DRIVERS if scheme)
"""What may stand before ``://``; a URL without it is a directory."""

_WITHOUT_PLACE = frozenset({"", "file", "hdfs"})
"""The path alone can be enough there."""

_PLACES = {"hf": "buckets/OWNER/NAME/PATH"}
"""What comes behind ``://``, where it is not ``PLACE/PATH``."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://", re.ASCII)


def open_remote(address: Address) -> Remote:
    """The remote, with retries. Nothing is contacted before the first call.

    Raises `ConfigError` for a scheme or a setting that is not known, `UnsafeInput` for a URL that
    could start something else than a driver.
    """
    return governed(open_bare(address), address)


def open_bare(address: Address) -> Remote:
    """The driver alone, one try each; raises as `open_remote` does."""
    scheme = served_scheme(address.name, address.url)
    module = _DRIVERS.get(scheme, "anyfs")
    if module != "local":
        from dvtool.remote.quiet import quiet_libraries

        quiet_libraries()
    driver: Remote = import_module(f"dvtool.remote.drivers.{module}").open_driver(address)
    return driver


def governed(driver: Remote, address: Address) -> Remote:
    """*driver* with its rate, its number of requests at once and its retries."""
    read = SettingsReader(address)
    meter = Meter(read.byte_count("bandwidth"))
    if isinstance(driver, Streaming):
        driver.use_meter(meter)
    else:
        driver = MeteredRemote(driver, meter)
    jobs, usual = read.count("jobs"), driver.capabilities.concurrency
    pace = Pace(jobs or usual, jobs or GROWTH * usual)
    return RetryingRemote(PacedRemote(driver, pace), meter=meter)


def served_scheme(name: str, url: str) -> str:
    """`scheme_of` a URL that some driver serves; raises for the others as `open_remote` does."""
    scheme = scheme_of(name, url)
    if scheme not in _DRIVERS:
        from dvtool.remote.drivers.anyfs import check_scheme

        check_scheme(name, scheme, SCHEMES)
    elif scheme not in _WITHOUT_PLACE and not url.partition("://")[2].strip("/"):
        raise ConfigError(
            f"remote {name}: {redact(url)} names no place",
            hint=f"write the bucket or the server, and the path there: {scheme}://{_PLACES.get(scheme, 'PLACE/PATH')}",
        )
    return scheme


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

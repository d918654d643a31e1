"""WebDAV servers."""

from __future__ import annotations

from dvtool.model.ports import Remote
from dvtool.remote.address import Address

_OVER = {"webdav": "http", "webdavs": "https"}


def open_driver(address: Address) -> Remote:
    from dvtool.remote.drivers.http.options import parse_web
    from dvtool.remote.drivers.webdav.driver import WebDavRemote

    return WebDavRemote(parse_web(address, _OVER[address.url.partition("://")[0].lower()]))

"""Plain web servers, which can only be read."""

from __future__ import annotations

from dvtool.model.ports import Remote
from dvtool.remote.address import Address


def open_driver(address: Address) -> Remote:
    from dvtool.remote.drivers.http.driver import HttpRemote
    from dvtool.remote.drivers.http.options import parse_web

    return HttpRemote(parse_web(address, address.url.partition("://")[0].lower()))

"""Servers of Git LFS, which are only read: ``lfs+https://HOST/PATH.git/info/lfs``."""

from __future__ import annotations

from dvtool.model.ports import Remote
from dvtool.remote.address import Address


def open_driver(address: Address) -> Remote:
    from dvtool.remote.drivers.http.options import parse_web
    from dvtool.remote.drivers.lfs.driver import LfsRemote

    return LfsRemote(parse_web(address, address.url.partition("://")[0].lower().removeprefix("lfs+")))

"""S3 and S3-compatible object stores."""

from __future__ import annotations

from dvtool.model.ports import Remote
from dvtool.remote.address import Address


def open_driver(address: Address) -> Remote:
    from dvtool.remote.drivers.s3.driver import S3Remote
    from dvtool.remote.drivers.s3.options import parse_s3

    return S3Remote(address.name, parse_s3(address))

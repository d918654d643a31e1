"""Google Cloud Storage."""

from __future__ import annotations

from dvtool.model.ports import Remote
from dvtool.remote.address import Address


def open_driver(address: Address) -> Remote:
    from dvtool.remote.drivers.gcs.driver import GcsRemote
    from dvtool.remote.drivers.gcs.options import parse_gcs

    return GcsRemote(parse_gcs(address))

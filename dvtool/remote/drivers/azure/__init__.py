"""Azure Blob Storage."""

from __future__ import annotations

from dvtool.model.ports import Remote
from dvtool.remote.address import Address


def open_driver(address: Address) -> Remote:
    from dvtool.remote.drivers.azure.driver import AzureRemote
    from dvtool.remote.drivers.azure.options import parse_azure

    return AzureRemote(parse_azure(address))

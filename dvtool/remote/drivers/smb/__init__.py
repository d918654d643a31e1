"""A directory on a share of Windows or Samba, without a mount."""

from __future__ import annotations

from dvtool.model.ports import Remote
from dvtool.remote.address import Address


def open_driver(address: Address) -> Remote:
    """Raises `ConfigError`, `UnsafeInput` for a URL or settings that make no sense."""
    from dvtool.remote.drivers.smb.driver import SmbRemote
    from dvtool.remote.drivers.smb.options import parse_smb

    return SmbRemote(address, parse_smb(address))

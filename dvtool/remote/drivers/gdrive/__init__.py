"""Google Drive, by its REST interface (version 3).

Names are not unique there and there are no paths: a value lies in a folder named like the first component of its
key and is itself named like the rest of the key.
"""

from __future__ import annotations

from dvtool.model.ports import Remote
from dvtool.remote.address import Address


def open_driver(address: Address) -> Remote:
    """Raises `ConfigError`, `UnsafeInput` for a URL or settings that make no sense."""
    from dvtool.remote.drivers.gdrive.driver import DriveRemote
    from dvtool.remote.drivers.gdrive.options import parse_drive

    return DriveRemote(address, parse_drive(address))

"""A directory on a server that speaks SSH, by SFTP."""

from __future__ import annotations

from dvtool.model.ports import Remote
from dvtool.remote.address import Address


def open_driver(address: Address) -> Remote:
    """Raises `ConfigError`, `UnsafeInput` for a URL or settings that make no sense."""
    from dvtool.remote.drivers.ssh.driver import SshRemote
    from dvtool.remote.drivers.ssh.options import parse_ssh

    return SshRemote(address, parse_ssh(address))

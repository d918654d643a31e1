"""Opening a connection: with which keys, by what `~/.ssh/config` says, and only to a server that is known."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import Any

from dvtool.errors import DvtoolError
from dvtool.remote.address import Address
from dvtool.remote.drivers.ssh.failures import connect_failure
from dvtool.remote.drivers.ssh.hostkeys import HostKeys
from dvtool.remote.drivers.ssh.identities import identities
from dvtool.remote.drivers.ssh.options import SshOptions
from dvtool.remote.logins import find_login

if TYPE_CHECKING:
    from asyncssh import SSHClientConnection

_WINDOW = 16 << 20
_PACKET = 256 << 10
_SILENT_TIMES = 3
_NO_KEYS: Any = None
# Processors help with these: half the work of the library's own first choice.
_CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"


class Gate:
    """Opens connections to the server of one remote. Its fields tell of the last attempt.

    ``server``: host and port as they are after `~/.ssh/config`.
    """

    def __init__(self, address: Address, options: SshOptions) -> None:
        self._address = address
        self._options = options
        self._tried: list[str] = []
        self._user = options.user or ""
        self.server = options.host

    @property
    def tried(self) -> str:
        """Which credentials the last connection had, in words."""
        return f"user {self._user} with " + (", ".join(self._tried) or "no key and no password")

    async def open(self) -> SSHClientConnection:
        """A new connection. Raises `dvtool.errors`."""
        try:
            import asyncssh

            arguments, keys = await asyncio.to_thread(self._prepare)
            try:
                return await asyncssh.connect(**arguments)
            except asyncssh.HostKeyNotVerifiable as error:
                raise keys.failure(str(error)) from error
        except DvtoolError:
            raise
        except Exception as error:
            raise connect_failure(error, self._address.name, self.server, self.tried) from error

    def stored_password(self) -> str | None:
        """The one of netrc or the keyring, for a server that asks for a password."""
        found = find_login(replace(self._address, settings={"user": self._user}), f"ssh://{self.server}")
        if found is None:
            return None
        self._tried.append(found.source)
        return found.password

    def _prepare(self) -> tuple[dict[str, Any], HostKeys]:
        """All that reads files, away from the loop."""
        import asyncssh

        given = self._options
        home = given.home
        config = os.path.join(home, ".ssh", "config") if home else ""
        basic: dict[str, Any] = {"host": given.host, "config": [config] if os.access(config, os.R_OK) else None}
        if given.port:
            basic["port"] = given.port
        if given.user:
            basic["username"] = given.user
        # The first pass only reads the configuration.
        said = asyncssh.SSHClientConnectionOptions(**basic, client_keys=_NO_KEYS)
        self._user, self.server = said.username, f"{said.host}:{said.port}"
        keys = HostKeys(self._address.name, home, said.config, said.host, said.port)
        agent: Any = None if given.agent is None else said.config.get("IdentityAgent") or given.agent or None
        files: Any = said.config.get("IdentityFile", ())
        offered = identities(self._address.name, given, files, agent)
        self._tried = [*offered.words, *(["the password that is configured"] if given.password else [])]
        if offered.of_agent:
            basic["agent_identities"] = [*offered.of_agent]
        return {
            **basic,
            "client_factory": lambda: _client(self, keys),
            "known_hosts": keys.match,
            "client_keys": [*offered.files],
            "passphrase": given.passphrase,
            "ignore_encrypted": True,
            "agent_path": offered.agent,
            "password": given.password,
            "gss_auth": given.gss,
            # It would pass over the host key.
            "gss_kex": False,
            "connect_timeout": given.seconds,
            "keepalive_interval": max(given.seconds / _SILENT_TIMES, 1.0),
            "keepalive_count_max": _SILENT_TIMES,
            "encryption_algs": () if said.config.get("Ciphers") else _CIPHERS,
            "window": _WINDOW,
            "max_pktsize": _PACKET,
        }, keys


def _client(gate: Gate, keys: HostKeys) -> Any:
    import asyncssh

    class Client(asyncssh.SSHClient):
        def __init__(self) -> None:
            self._asked = False

        def validate_host_public_key(self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey) -> bool:
            keys.stranger = key
            return False

        async def password_auth_requested(self) -> str | None:
            if self._asked:
                return None
            self._asked = True
            return await asyncio.to_thread(gate.stored_password)

        def kbdint_auth_requested(self) -> str | None:
            return None

    return Client()

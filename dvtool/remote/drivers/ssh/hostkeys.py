"""Which keys a server may show, by the user's ``known_hosts``, and what to say of any other one."""

from __future__ import annotations

import contextlib
import os
import shlex
from typing import TYPE_CHECKING
from typing import Any

from dvtool.errors import StorageError
from dvtool.remote.drivers.ssh.identities import expanded

if TYPE_CHECKING:
    from asyncssh import SSHKey

_FILES = ("known_hosts", "known_hosts2")
_SYSTEM_FILES = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_DEFAULT_PORT = 22


class HostKeys:
    """The known keys of one server, by the files that *config* (of asyncssh) names or the usual ones.

    ``stranger``: the key that it showed, if that is not among them.
    """

    def __init__(self, remote: str, home: str | None, config: Any, host: str, port: int) -> None:
        own = [os.path.join(home, ".ssh", name) for name in _FILES] if home else []
        self._remote = remote
        self._home = home
        self._files = [expanded(file, home) for file in config.get("UserKnownHostsFile", ())] or own
        self._system_files = [*config.get("GlobalKnownHostsFile", ())] or [*_SYSTEM_FILES]
        self._host = host
        self._alias: str | None = config.get("HostKeyAlias")
        self._port = port
        self._known: list[SSHKey] = []
        self._revoked: list[SSHKey] = []
        self.stranger: SSHKey | None = None

    def match(self, host: str, addr: str, port: int | None) -> Any:
        """What asyncssh wants to know: trusted keys, authorities, revoked keys."""
        import asyncssh

        known = asyncssh.SSHKnownHosts()
        for file in (*self._files, *self._system_files):
            for line in _lines(file):
                # One line that makes no sense does not make the others worthless.
                with contextlib.suppress(ValueError):
                    known.load(line)
        found = known.match(host, addr, port)
        self._known, self._revoked = [*found[0]], [*found[2]]
        return found[:3]

    def failure(self, said: str) -> StorageError:
        """The error for a server whose key was not accepted; *said* is asyncssh's reason."""
        where = f"{self._host}:{self._port}"
        about = f"remote {self._remote}: "
        key = self.stranger
        if key is None or key in self._revoked:
            return StorageError(f"{about}the key of {where} is not accepted: {said}", hint=f"look at {self._shown()}")
        seen = f"{_kind(key)} {key.get_fingerprint()}"
        if not self._known:
            return StorageError(
                f"{about}the key of {where} is not known: {seen}",
                hint=f"if whoever runs it says that this is its key: {self._accept(key)}",
            )
        was = ", ".join(f"{_kind(each)} {each.get_fingerprint()}" for each in self._known)
        forget = f"ssh-keygen -R {shlex.quote(self._entry)} -f {self._shown()}"
        return StorageError(
            f"{about}{where} shows another key than before: {seen} instead of {was}; it may not be that server",
            hint=f"ask whoever runs it; only if they changed the key: {forget} && {self._accept(key)}",
        )

    @property
    def _entry(self) -> str:
        name = self._alias or self._host
        return name if self._port == _DEFAULT_PORT else f"[{name}]:{self._port}"

    def _accept(self, key: SSHKey) -> str:
        port = "" if self._port == _DEFAULT_PORT else f" -p {self._port}"
        scan = f"ssh-keyscan -t {_kind(key)}{port} {self._host}"
        if self._alias:
            scan += f" | sed {shlex.quote(f's/^[^ #]*/{self._entry}/')}"
        return f"{scan} >> {self._shown()}"

    def _shown(self) -> str:
        file = self._files[0] if self._files else "~/.ssh/known_hosts"
        if self._home and file == os.path.join(self._home, ".ssh", "known_hosts"):
            return "~/.ssh/known_hosts"
        return shlex.quote(file)


def _kind(key: SSHKey) -> str:
    """As ssh-keyscan calls it."""
    name = key.get_algorithm()
    return next((kind for kind in ("ed25519", "ecdsa", "rsa") if kind in name), name)


def _lines(file: str) -> list[str]:
    try:
        with open(file, encoding="utf-8", errors="replace") as text:
            return text.read().splitlines()
    except OSError:
        return []

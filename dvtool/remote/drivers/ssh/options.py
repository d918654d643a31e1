"""The settings of an SSH remote, read once and checked."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from dataclasses import field
from urllib.parse import SplitResult
from urllib.parse import unquote
from urllib.parse import urlsplit

from dvtool.errors import ConfigError
from dvtool.errors import UnsafeInput
from dvtool.remote.address import Address
from dvtool.remote.address import SettingsReader
from dvtool.remote.redact import redact

DEFAULT_SECONDS = 30.0
_SESSIONS = 4
# Both may end up in commands of the user's own ~/.ssh/config (ProxyCommand, Match exec).
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@+\\$-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class SshOptions:
    """``host`` may be a name of ``~/.ssh/config``, which then also gives what is None here.

    ``root``: the directory, absolute or relative to the user's home on the server.
    """

    host: str
    port: int | None
    user: str | None
    root: str
    keyfile: str | None
    password: str | None = field(repr=False)
    passphrase: str | None = field(repr=False)
    home: str | None
    agent: str | None
    gss: bool
    seconds: float
    sessions: int

    @property
    def url(self) -> str:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        path = self.root if self.root.startswith("/") else f"/~/{self.root}"
        return f"ssh://{shown}{port}{path}"


def parse_ssh(address: Address) -> SshOptions:
    """Check URL and settings; raises `ConfigError`, `UnsafeInput`."""
    parts = _split(address)
    read = SettingsReader(address)
    user = unquote(parts.username or "") or read.text("user")
    if user is not None and not _USER.fullmatch(user):
        raise UnsafeInput(f"remote {address.name}: {user!r} cannot be a user name", hint=_hint(address))
    uses_agent = read.flag("allow_agent", default=True)
    return SshOptions(
        host=_host(address, parts),
        port=parts.port or _port(address, read),
        user=user,
        root=_root(address, parts),
        keyfile=_keyfile(address, read),
        password=read.text("password"),
        passphrase=read.text("passphrase"),
        home=address.environ.get("HOME"),
        agent=(address.environ.get("SSH_AUTH_SOCK") or "") if uses_agent else None,
        gss=read.flag("gss_auth", default=False),
        seconds=read.seconds("timeout", DEFAULT_SECONDS),
        sessions=read.count("max_sessions") or _SESSIONS,
    )


def _split(address: Address) -> SplitResult:
    try:
        parts = urlsplit(address.url)
        if parts.port == 0:
            raise ValueError
    except ValueError:
        raise ConfigError(
            f"remote {address.name}: {redact(address.url)} is not ssh://HOST:PORT/DIRECTORY", hint=_hint(address)
        ) from None
    if parts.password is not None:
        raise UnsafeInput(
            f"remote {address.name}: the URL carries a password: {redact(address.url)}",
            hint=f"`dvtool remote modify --local {address.name} password ...`, and a URL without it",
        )
    if parts.query or parts.fragment:
        raise ConfigError(
            f"remote {address.name}: {redact(address.url)} has a ? or # in it", hint="write them as %3F and %23"
        )
    return parts


def _host(address: Address, parts: SplitResult) -> str:
    # urlsplit's own host name is in small letters, those of ~/.ssh/config may not be.
    netloc = parts.netloc.rpartition("@")[2]
    host = netloc[1:].partition("]")[0] if netloc.startswith("[") else netloc.partition(":")[0]
    if not host:
        raise ConfigError(f"remote {address.name}: {redact(address.url)} names no host", hint=_hint(address))
    if not _HOST.fullmatch(host):
        raise UnsafeInput(f"remote {address.name}: {host!r} cannot be the name of a host", hint=_hint(address))
    return host


def _port(address: Address, read: SettingsReader) -> int | None:
    port = read.count("port")
    if port is not None and port > 65_535:
        raise ConfigError(f"remote {address.name}: port {port} is too large", hint="a port is at most 65535")
    return port


def _root(address: Address, parts: SplitResult) -> str:
    path = unquote(parts.path)
    if "\0" in path or ".." in path.split("/"):
        raise ConfigError(f"remote {address.name}: {redact(address.url)} has .. in its path", hint=_hint(address))
    if not path.strip("/"):
        raise ConfigError(f"remote {address.name}: {redact(address.url)} names no directory", hint=_hint(address))
    clean = "/".join(part for part in path.split("/") if part not in ("", "."))
    if clean == "~":
        raise ConfigError(f"remote {address.name}: the whole home is no place for data", hint=_hint(address))
    return clean[2:] if clean.startswith("~/") else f"/{clean}"


def _keyfile(address: Address, read: SettingsReader) -> str | None:
    value = read.text("keyfile")
    if value is not None and value.startswith("~/") and (home := address.environ.get("HOME")):
        return os.path.join(home, value[2:])
    return read.path("keyfile")


def _hint(address: Address) -> str:
    return f"`dvtool remote modify {address.name} url ssh://USER@HOST/ABSOLUTE/DIRECTORY`, or .../~/BELOW/HOME"

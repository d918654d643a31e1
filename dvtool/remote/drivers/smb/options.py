"""The settings of an SMB remote, read once and checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote
from urllib.parse import urlsplit

from dvtool.errors import ConfigError
from dvtool.errors import UnsafeInput
from dvtool.remote.address import Address
from dvtool.remote.address import SettingsReader
from dvtool.remote.redact import redact

_PORT = 445
_SECONDS = 60.0
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*|[0-9A-Fa-f:.]+", re.ASCII)
_REFUSED = re.compile(r'[\x00-\x1f\\:*?"<>|]')


@dataclass(frozen=True, slots=True)
class SmbOptions:
    """``folder``: names below the share. ``user``: of the URL or the setting, maybe ``DOMAIN\\name``."""

    host: str
    port: int
    share: str
    folder: tuple[str, ...]
    user: str | None
    encrypt: bool
    seconds: float

    @property
    def url(self) -> str:
        return "/".join((f"smb://{self._authority}", self.share, *self.folder))

    @property
    def server(self) -> str:
        """What netrc and keyring know it by."""
        return f"smb://{self._authority}"

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORT else f"{host}:{self.port}"


def parse_smb(address: Address) -> SmbOptions:
    """Check URL and settings; raises `ConfigError`, `UnsafeInput`."""
    name, read = address.name, SettingsReader(address)
    hint = f"`dvtool remote modify {name} url smb://HOST/SHARE/FOLDER`"
    try:
        parts = urlsplit(address.url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise ConfigError(f"remote {name}: {redact(address.url)} is not smb://HOST/SHARE/FOLDER", hint=hint) from None
    if parts.password is not None:
        raise UnsafeInput(
            f"remote {name}: the URL carries a password: {redact(address.url)}",
            hint=f"`dvtool remote modify --local {name} password ...`, and a URL without it",
        )
    names = [part for part in unquote(parts.path).split("/") if part]
    if not _HOST.fullmatch(host) or not names or parts.query or parts.fragment or port == 0:
        raise ConfigError(f"remote {name}: {redact(address.url)} is not smb://HOST/SHARE/FOLDER", hint=hint)
    bad = next((part for part in names if part in (".", "..") or _REFUSED.search(part)), None)
    if bad is not None:
        raise ConfigError(f"remote {name}: {bad!r} cannot be a name on a share", hint=hint)
    port = port or read.count("port") or _PORT
    if port > 65_535:
        raise ConfigError(f"remote {name}: port {port} is too large", hint="a port is at most 65535")
    return SmbOptions(
        host=host,
        port=port,
        share=names[0],
        folder=tuple(names[1:]),
        user=unquote(parts.username or "").replace(";", "\\") or read.text("user"),
        encrypt=read.flag("encrypt", default=False),
        seconds=read.seconds("timeout", _SECONDS),
    )

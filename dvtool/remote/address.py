"""A configured remote as a driver gets it, and typed access to its settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from urllib.parse import urlsplit

from dvtool.errors import ConfigError
from dvtool.errors import UnsafeInput
from dvtool.formats.bytesizes import is_byte_size
from dvtool.formats.bytesizes import parse_byte_size
from dvtool.remote.redact import redact


@dataclass(frozen=True, slots=True)
class Address:
    """Remote *name* at *url*. *settings*: the texts below ``remote.NAME`` without ``url``; relative
    paths in either start at *base_dir* (absolute). *environ*: the user's variables. *origins*: in
    words where each setting stands ("the local config", "$DVTOOL_REMOTE_ORIGIN_PASSWORD"). *outside_only*: it is not
    the user's word, so that what answers may not lead to this machine or into its network."""

    name: str
    url: str
    settings: Mapping[str, str]
    base_dir: bytes
    environ: Mapping[str, str]
    origins: Mapping[str, str] = field(default_factory=dict)
    outside_only: bool = False

    @property
    def rest(self) -> str:
        """What follows ``scheme://``."""
        return self.url.partition("://")[2]


class SettingsReader:
    """Typed access to the settings below ``remote.NAME``."""

    def __init__(self, address: Address) -> None:
        self._name = address.name
        self._settings = address.settings
        self._base_dir = os.fsdecode(address.base_dir)

    def text(self, key: str) -> str | None:
        return self._settings.get(key) or None

    def path(self, key: str) -> str | None:
        """Absolute: a relative path starts at the project's root."""
        value = self.text(key)
        return None if value is None else os.path.join(self._base_dir, value)

    def flag(self, key: str, *, default: bool) -> bool:
        value = self._settings.get(key, "").strip().lower()
        if value in ("true", "yes", "on", "1"):
            return True
        if value in ("false", "no", "off", "0"):
            return False
        if not value:
            return default
        raise self._wrong(key, "true or false")

    def seconds(self, key: str, default: float) -> float:
        value = self.text(key)
        if value is None:
            return default
        try:
            number = float(value)
        except ValueError:
            raise self._wrong(key, "a number of seconds") from None
        if not 0 < number < 86_400:
            raise self._wrong(key, "a number of seconds")
        return number

    def count(self, key: str) -> int | None:
        """A whole number from 1."""
        value = self.text(key)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit()) or not 0 < int(value) < 10**9:
            raise self._wrong(key, "a whole number from 1")
        return int(value)

    def byte_count(self, key: str) -> int | None:
        """A number of bytes from 1, as people write it."""
        value = self.text(key)
        if value is None:
            return None
        if not is_byte_size(value) or parse_byte_size(value) < 1:
            raise self._wrong(key, "a number of bytes such as 500k or 2M")
        return parse_byte_size(value)

    def choice(self, key: str, known: tuple[str, ...]) -> str:
        value = self._settings.get(key) or known[0]
        if value not in known:
            raise self._wrong(key, " or ".join(known))
        return value

    def endpoint(self, key: str) -> str | None:
        value = self.text(key)
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            port = parts.port
        except ValueError:
            raise self._wrong(key, "http://HOST:PORT or https://HOST") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            raise self._wrong(key, "http://HOST:PORT or https://HOST")
        if "@" in parts.netloc:
            raise UnsafeInput(
                f"remote {self._name}: {key} carries a user or a password: {redact(value)}",
                hint=f"`dvtool remote modify --local {self._name} access_key_id ...`",
            )
        return value

    def _wrong(self, key: str, expected: str) -> ConfigError:
        return ConfigError(
            f"remote {self._name}: {key} = {redact(self._settings[key])} is not {expected}",
            hint=f"`dvtool config remote.{self._name}.{key} ...`",
        )

"""The settings in force, and which place each comes from."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.config import MAX_BYTES
from dvtool.formats.config import Entry
from dvtool.formats.config import Key
from dvtool.formats.config import parse_config
from dvtool.formats.config import parse_key
from dvtool.formats.setting import Value
from dvtool.formats.settings import SETTINGS
from dvtool.formats.settings import check_in_project
from dvtool.formats.settings import check_version
from dvtool.formats.settings import needs_trust
from dvtool.formats.settings import parse_value
from dvtool.formats.settings import setting_of
from dvtool.formats.settings import shown
from dvtool.project.environment import Environment
from dvtool.project.layout import Layout

unwritten: ContextVar[Mapping[bytes, bytes] | None] = ContextVar("unwritten", default=None)
"""Config files as this command has edited them, by path, until it writes them: `dvtool.project.edit.together`."""

_REMOTE_URL = re.compile(r"DVTOOL_REMOTE_([A-Z0-9][A-Z0-9_]*)_URL", re.ASCII)


class Level(Enum):
    """The places a setting can come from, strongest first."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    LOCAL = "local"
    PROJECT = "project"
    USER = "user"
    SYSTEM = "system"


class Origin(NamedTuple):
    """Where a value stands: for a file its path and line, for the environment the variable in ``path``."""

    level: Level
    path: bytes | None
    line: int | None


def in_words(origin: Origin) -> str:
    """The place, for messages: "the local config", "$DVTOOL_CORE_REMOTE"."""
    if origin.level is Level.ENVIRONMENT and origin.path is not None:
        return f"${os.fsdecode(origin.path)}"
    return "the command line" if origin.level is Level.FLAG else f"the {_WORDS[origin.level]} config"


_WORDS = {Level.LOCAL: "local", Level.PROJECT: "committed", Level.USER: "user's", Level.SYSTEM: "system's"}


class Found(NamedTuple):
    """A setting in one place, as text."""

    key: Key
    text: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """A configured remote. ``options`` are the texts below ``remote.NAME`` without ``url``; relative
    paths in either start at ``base_dir``. ``origins`` says for each key where it was set."""

    name: str
    url: str
    options: Mapping[str, str]
    base_dir: bytes
    origins: Mapping[str, Origin]

    def names(self, key: str) -> tuple[str, ...]:
        """A setting that is a list (``mirrors``, ``paths``); empty where it is not set."""
        text = self.options.get(key)
        value = () if text is None else parse_value(Key("remote", self.name, key), text)
        return value if isinstance(value, tuple) else ()


class Config:
    """Layered settings. Everything in it was checked when it was read."""

    def __init__(self, root: bytes, home: bytes, layers: Mapping[Level, Mapping[Key, Found]]) -> None:
        self._root = root
        self._home = home
        self._layers = layers

    def get(self, key: str) -> Value | None:
        """The typed value in force, else the default of the setting. Raises `ConfigError` for an unknown key."""
        found = self.find(key)
        return setting_of(parse_key(key)).default if found is None else parse_value(found.key, found.text)

    def flag(self, key: str) -> bool:
        return self.get(key) is True

    def text(self, key: str) -> str | None:
        value = self.get(key)
        return value if isinstance(value, str) else None

    def count(self, key: str) -> int | None:
        value = self.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def choices(self, key: str) -> tuple[str, ...]:
        value = self.get(key)
        return value if isinstance(value, tuple) else ()

    def find(self, key: str) -> Found | None:
        """The strongest place that sets a key."""
        wanted = parse_key(key)
        setting_of(wanted)
        return next((layer[wanted] for layer in self._layers.values() if wanted in layer), None)

    def origin(self, key: str) -> Origin | None:
        """Where the value in force stands; None where it is the default."""
        found = self.find(key)
        return None if found is None else found.origin

    def all(self, level: Level | None = None) -> Iterator[Found]:
        """Every setting of one place, or of all from the weakest to the strongest, as `config --list` prints them."""
        for each in reversed(Level):
            if level in (None, each):
                yield from self._layers.get(each, {}).values()

    def path(self, key: str) -> bytes | None:
        """A setting that is a path, made absolute: relative ones start at the root, ``~/`` is the home directory."""
        value = self.text(key)
        if value is None:
            return None
        path = os.fsencode(value)
        if path.startswith(b"~/"):
            return os.path.normpath(os.path.join(self._home, path[2:]))
        return os.path.normpath(os.path.join(self._root, path))

    def remotes(self) -> dict[str, RemoteSettings]:
        """The remotes that have a URL, by name."""
        merged: dict[str, dict[str, Found]] = {}
        for found in self.all():
            if found.key.section == "remote" and found.key.subsection is not None:
                merged.setdefault(found.key.subsection, {})[found.key.name] = found
        return {
            name: RemoteSettings(
                name,
                options["url"].text,
                {key: found.text for key, found in options.items() if key != "url"},
                self._root,
                {key: found.origin for key, found in options.items()},
            )
            for name, options in sorted(merged.items())
            if "url" in options
        }

    def remote(self, name: str | None = None) -> RemoteSettings:
        """The remote of that name, or the default one; raises `ConfigError` saying how to make it."""
        remotes = self.remotes()
        wanted = name or self.text("core.remote")
        if wanted is None:
            hint = f"dvtool remote default {next(iter(remotes))}" if remotes else "dvtool remote add -d NAME URL"
            raise ConfigError("no remote is configured" if not remotes else "no default remote is chosen", hint=hint)
        if wanted not in remotes:
            known = ", ".join(remotes) or "none"
            raise ConfigError(
                f"there is no remote {wanted!r}", hint=f"configured: {known}; `dvtool remote add {wanted} URL` adds it"
            )
        return remotes[wanted]


def load_config(layout: Layout, environment: Environment, overrides: Mapping[str, str]) -> Config:
    """Read and check every place. *overrides* are settings from flags, key to text.

    Raises `FormatError`, `ConfigError`, and `UnsafeInput` for what the committed file must not set.
    """
    files = {level: read_level(layout, level) for level in FILE_LEVELS}
    if layout.foreign:
        from dvtool.project.dvcsettings import with_dvc_settings

        files = with_dvc_settings(layout, environment, files)
    names = {key.subsection for layer in files.values() for key in layer if key.subsection}
    flags = {parse_key(key): text for key, text in overrides.items()}
    for key, text in flags.items():
        parse_value(key, text)
    layers = {
        Level.FLAG: {key: Found(key, text, Origin(Level.FLAG, None, None)) for key, text in flags.items()},
        Level.ENVIRONMENT: _from_environment(environment.environ, names),
        **files,
    }
    return Config(layout.root, environment.home, layers)


FILE_LEVELS = (Level.LOCAL, Level.PROJECT, Level.USER, Level.SYSTEM)


def level_path(layout: Layout, level: Level) -> bytes:
    """The file of a level; raises `UsageError` for flags and the environment."""
    paths = {
        Level.LOCAL: layout.local_config,
        Level.PROJECT: layout.project_config,
        Level.USER: layout.user_config,
        Level.SYSTEM: layout.system_config,
    }
    if level not in paths:
        raise UsageError(f"nothing can be written to the level {level.value}")
    return paths[level]


def read_level(layout: Layout, level: Level) -> dict[Key, Found]:
    """The settings of one file, checked; an absent file has none."""
    if layout.foreign and level is Level.PROJECT:
        return {}
    path = level_path(layout, level)
    entries = read_entries(layout, level)
    for entry in entries:
        _check_entry(entry, level, os.fsdecode(path))
    return {each.key: Found(each.key, each.value, Origin(level, path, each.line)) for each in entries}


def read_entries(layout: Layout, level: Level) -> list[Entry]:
    """The settings of one file in a known version, not yet checked one by one."""
    path = level_path(layout, level)
    where = os.fsdecode(path)
    if level is Level.PROJECT and os.path.islink(path):
        raise UnsafeInput(f"{where} is a symbolic link", path=path, hint="replace it with a file")
    entries = parse_config(read_config_file(path), where)
    if level is Level.PROJECT:
        check_version(entries, where)
    return entries


def read_config_file(path: bytes) -> bytes:
    """The bytes of a config file, empty if there is none. Raises `StorageError`."""
    edited = (unwritten.get() or {}).get(path)
    if edited is not None:
        return edited
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise storage_error(error, "read", path) from error


def display(found: Found) -> str:
    """``key=value`` as it may be printed."""
    return f"{found.key}={shown(found.key, found.text)}"


def _check_entry(entry: Entry, level: Level, where: str) -> None:
    try:
        setting = setting_of(entry.key)
        if level is Level.PROJECT:
            # What needs trust is refused where the remote is used: `dvtool.project.trust`.
            if not needs_trust(entry.key, entry.value):
                check_in_project(entry.key, entry.value)
        elif setting.only_project:
            raise ConfigError(f"{entry.key} belongs into the committed .dvtool/config only")
        parse_value(entry.key, entry.value)
    except (ConfigError, UnsafeInput, FormatError) as error:
        raise _at(error, where, entry.line) from error


def _at(error: DvtoolError, where: str, line: int) -> DvtoolError:
    return type(error)(f"{where}:{line}: {error.message}", path=where, hint=error.hint)


def _from_environment(environ: Mapping[str, str], names: set[str]) -> dict[Key, Found]:
    names = names | _new_remotes(environ, names)
    layer: dict[Key, Found] = {}
    for setting in SETTINGS:
        if setting.only_project:
            continue
        section, star, name = setting.key.partition(".*.")
        for key in [Key(section, each, name) for each in sorted(names)] if star else [parse_key(setting.key)]:
            variable = environment_name(key)
            text = environ.get(variable)
            if not text:
                continue
            try:
                parse_value(key, text)
            except (ConfigError, UnsafeInput) as error:
                raise type(error)(f"${variable}: {error.message}", hint=error.hint) from error
            layer[key] = Found(key, text, Origin(Level.ENVIRONMENT, os.fsencode(variable), None))
    return layer


def _new_remotes(environ: Mapping[str, str], names: set[str]) -> set[str]:
    """Remotes that only the environment knows: a URL under a name that no file has."""
    known = {environment_name(Key("remote", name, "url")) for name in names}
    matches = (_REMOTE_URL.fullmatch(variable) for variable in environ if variable not in known)
    return {match[1].lower() for match in matches if match}


def environment_name(key: Key) -> str:
    """The variable that sets a key: ``DVTOOL_REMOTE_ORIGIN_URL``."""
    parts = [part for part in key if part is not None]
    return "_".join(["DVTOOL", *(re.sub(r"[^A-Za-z0-9]", "_", part) for part in parts)]).upper()

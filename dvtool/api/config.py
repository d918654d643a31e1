"""Reading and changing settings."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dvtool.errors import ConfigError
from dvtool.errors import NotInRepository
from dvtool.formats.config import parse_key
from dvtool.formats.setting import Value
from dvtool.formats.settings import setting_of
from dvtool.formats.settings import shown
from dvtool.project.config import Found
from dvtool.project.config import Level
from dvtool.project.config import load_config
from dvtool.project.confirm import set_confirmed
from dvtool.project.confirm import unset_confirmed
from dvtool.project.environment import Environment
from dvtool.project.layout import Layout
from dvtool.project.layout import plan_layout
from dvtool.project.open import find_layout
from dvtool.project.oplog import begin_at


@dataclass(frozen=True, slots=True)
class SettingView:
    """One setting as it may be shown: secrets are ``***``. ``level`` is "default" for what no place sets."""

    key: str
    value: str
    level: str
    path: bytes | None
    line: int | None


def layout_of(environment: Environment, level: Level | None = None) -> Layout:
    """The layout of the project around the current directory.

    For the levels of a user and a machine there need not be one; else raises `NotInRepository`.
    """
    try:
        return find_layout(environment.cwd, environment)
    except NotInRepository:
        if level in (Level.USER, Level.SYSTEM):
            return plan_layout(environment.cwd, None, environment)
        raise


def config_list(environment: Environment, level: Level | None = None) -> tuple[SettingView, ...]:
    """The settings of one place, or of all, weakest place first. Outside of a project: those of user and machine."""
    layout = layout_of(environment, level or Level.USER)
    return tuple(_view(found) for found in load_config(layout, environment, {}).all(level))


def config_get(environment: Environment, key: str, level: Level | None = None) -> SettingView:
    """The setting in force, or in one place. Raises `ConfigError` for an unknown key and for one without any value."""
    parsed = parse_key(key)
    setting = setting_of(parsed)
    config = load_config(layout_of(environment, level or Level.USER), environment, {})
    found = [each for each in config.all(level) if each.key == parsed]
    if found:
        return _view(found[-1])
    if level is None and setting.default is not None:
        return SettingView(str(parsed), _text(setting.default), "default", None, None)
    where = "" if level is None else f" in the {level.value} config"
    place = "" if setting.in_project and not setting.secret else "--local "
    raise ConfigError(f"{parsed} is not set{where}", hint=f"dvtool config {place}{parsed} VALUE")


def config_set(environment: Environment, key: str, value: str, level: Level = Level.PROJECT) -> bytes:
    """Write one setting and return the path of the file. Raises `ConfigError`, `UnsafeInput`, `UsageError`."""
    layout = layout_of(environment, level)
    with begin_at(layout, environment, "config") as operation:
        operation.prepare(summary=f"{key} set")
        return set_confirmed(layout, environment, level, key, value)


def config_unset(environment: Environment, key: str, level: Level = Level.PROJECT) -> bytes:
    """Remove one setting and return the path of the file. Raises `ConfigError` if it is not in there."""
    layout = layout_of(environment, level)
    with begin_at(layout, environment, "config") as operation:
        operation.prepare(summary=f"{key} unset")
        return unset_confirmed(layout, environment, level, key)


def _view(found: Found) -> SettingView:
    origin = found.origin
    return SettingView(str(found.key), shown(found.key, found.text), origin.level.value, origin.path, origin.line)


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def stored_path(layout: Layout, environment: Environment, path: str, level: Level) -> str:
    """A path from the command line as it goes into a config file.

    What is relative was meant from the current directory; files of the repository hold it relative
    to the root, so that a clone elsewhere can use it, the others hold it whole.
    """
    full = os.path.normpath(os.path.join(environment.cwd, os.fsencode(path)))
    if os.path.isabs(path) or level in (Level.USER, Level.SYSTEM):
        return os.fsdecode(full)
    # Both links resolved: ".." counted from a linked directory would lead elsewhere.
    parent, name = os.path.split(full)
    return os.fsdecode(os.path.relpath(os.path.join(os.path.realpath(parent), name), layout.root))

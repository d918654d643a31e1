"""The remotes of a project: where its data is pushed to and fetched from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dvtool.api.config import layout_of
from dvtool.api.config import stored_path
from dvtool.errors import ConfigError
from dvtool.errors import UsageError
from dvtool.formats.config import Key
from dvtool.formats.config import check_name
from dvtool.formats.settings import shown
from dvtool.project.config import Config
from dvtool.project.config import Level
from dvtool.project.config import load_config
from dvtool.project.config import read_level
from dvtool.project.edit import remove_remote
from dvtool.project.edit import rename_remote
from dvtool.project.edit import set_setting
from dvtool.project.edit import unset_setting
from dvtool.project.environment import Environment
from dvtool.project.layout import Layout
from dvtool.project.oplog import begin_at
from dvtool.remote.redact import redact
from dvtool.remote.table import served_scheme

# Where a clone keeps its own settings. Credentials of a remote often lie in the first, its URL in the second.
_OF_THE_CLONE = (Level.LOCAL, Level.PROJECT)


@dataclass(frozen=True, slots=True)
class RemoteView:
    """A remote as it may be shown: no secrets. ``level`` is where its URL stands."""

    name: str
    url: str
    default: bool
    level: str
    options: dict[str, str]


@dataclass(frozen=True, slots=True)
class RemoteAddRequest:
    """``url``: a relative directory is meant from the current directory. ``force`` replaces one of that name."""

    name: str
    url: str
    level: Level = Level.PROJECT
    default: bool = False
    force: bool = False


def remote_add(environment: Environment, request: RemoteAddRequest) -> str:
    """Configure a remote and return the URL as it was stored and may be shown.

    Raises `ConfigError` if the name is taken or nothing serves the URL, `UnsafeInput` for a URL
    that holds a secret and aims at the committed file.
    """
    name, level = check_name(request.name), request.level
    layout = layout_of(environment, level)
    url = _stored_url(layout, environment, name, request.url, level)
    if any(_is_of(key, name) for key in read_level(layout, level)) and not request.force:
        raise ConfigError(
            f"there is a remote {name!r} already",
            hint=f"dvtool remote modify {name} url URL, or `remote add -f` to start it anew",
        )
    with begin_at(layout, environment, "remote add") as operation:
        operation.prepare(summary=f"the remote {name}")
        remove_remote(layout, level, name)
        set_setting(layout, level, f"remote.{name}.url", url)
        if request.default:
            set_setting(layout, level, "core.remote", name)
    return redact(url)


def remote_list(environment: Environment, level: Level | None = None) -> tuple[RemoteView, ...]:
    """The remotes by name, or those whose URL stands in one place."""
    config = load_config(layout_of(environment, level), environment, {})
    chosen = config.text("core.remote")
    views = []
    for name, remote in config.remotes().items():
        origin = remote.origins["url"]
        if level in (None, origin.level):
            options = {key: shown(Key("remote", name, key), text) for key, text in remote.options.items()}
            views.append(RemoteView(name, redact(remote.url), name == chosen, origin.level.value, options))
    return tuple(views)


def remote_modify(
    environment: Environment, name: str, option: str, value: str | None, level: Level = Level.PROJECT
) -> bytes:
    """Set one option of a remote, or remove it with None; returns the path of the file."""
    layout = layout_of(environment, level)
    key = f"remote.{name}.{option}"
    with begin_at(layout, environment, "remote modify") as operation:
        operation.prepare(summary=f"{option} of the remote {name}")
        if value is None:
            return unset_setting(layout, level, key)
        _require(load_config(layout, environment, {}), name)
        if option.lower() == "url":
            value = _stored_url(layout, environment, name, value, level)
        return set_setting(layout, level, key, value)


def remote_remove(environment: Environment, name: str, level: Level | None = None) -> tuple[bytes, ...]:
    """Forget a remote and return the files changed; its data stays. Without *level*: in both files of this clone."""
    layout = layout_of(environment, level)
    levels = _OF_THE_CLONE if level is None else (level,)
    with begin_at(layout, environment, "remote remove") as operation:
        operation.prepare(summary=f"the remote {name}")
        changed = [path for each in levels if (path := remove_remote(layout, each, name)) is not None]
        if not changed:
            raise _not_there(load_config(layout, environment, {}), name)
        for each in _default_levels(layout, levels, name):
            unset_setting(layout, each, "core.remote")
    return tuple(changed)


def remote_rename(environment: Environment, old: str, new: str, level: Level | None = None) -> tuple[bytes, ...]:
    """Call a remote otherwise, where it is the default too; returns the files changed."""
    layout = layout_of(environment, level)
    config = load_config(layout, environment, {})
    if check_name(new) in config.remotes():
        raise ConfigError(
            f"there is a remote {new!r} already", hint=f"dvtool remote remove {new}, or take another name"
        )
    levels = _OF_THE_CLONE if level is None else (level,)
    default = _default_levels(layout, levels, old)
    with begin_at(layout, environment, "remote rename") as operation:
        operation.prepare(summary=f"the remote {old} is called {new}")
        changed = [path for each in levels if (path := rename_remote(layout, each, old, new)) is not None]
        if not changed:
            raise _not_there(config, old)
        for each in default:
            set_setting(layout, each, "core.remote", new)
    return tuple(changed)


def remote_default(environment: Environment) -> str:
    """The name of the default remote; raises `ConfigError` if there is none."""
    return load_config(layout_of(environment), environment, {}).remote().name


def remote_set_default(environment: Environment, name: str | None, level: Level = Level.PROJECT) -> None:
    """Choose the default remote; None: choose none."""
    layout = layout_of(environment, level)
    with begin_at(layout, environment, "remote default") as operation:
        operation.prepare(summary="no default remote" if name is None else f"{name} is the default remote")
        if name is None:
            unset_setting(layout, level, "core.remote")
            return
        _require(load_config(layout, environment, {}), name)
        set_setting(layout, level, "core.remote", name)


def _stored_url(layout: Layout, environment: Environment, name: str, url: str, level: Level) -> str:
    if served_scheme(name, url):
        return url
    if url == "~" or url.startswith("~/"):
        raise UsageError(f"remote {name}: ~ is not expanded in {url}", hint="write the whole path")
    return stored_path(layout, environment, url, level)


def _is_of(key: Key, name: str) -> bool:
    return key.section == "remote" and key.subsection == name


def _default_levels(layout: Layout, levels: Sequence[Level], name: str) -> list[Level]:
    key = Key("core", None, "remote")
    return [each for each in levels if (found := read_level(layout, each).get(key)) and found.text == name]


def _require(config: Config, name: str) -> None:
    if name not in config.remotes():
        raise _not_there(config, name)


def _not_there(config: Config, name: str) -> ConfigError:
    remotes = config.remotes()
    if name in remotes:
        level = remotes[name].origins["url"].level.value
        return ConfigError(f"the remote {name!r} is configured elsewhere: {level}", hint=f"add --{level}")
    hint = "configured: " + ", ".join(remotes) if remotes else f"dvtool remote add {name} URL"
    return ConfigError(f"there is no remote {name!r}", hint=hint)

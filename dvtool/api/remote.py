"""The remotes of a project: where its data is pushed to and fetched from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from dvtool.api.config import layout_of
from dvtool.api.config import stored_path
from dvtool.errors import ConfigError
from dvtool.errors import UsageError
from dvtool.formats.config import Key
from dvtool.formats.config import check_name
from dvtool.formats.config import parse_key
from dvtool.formats.settings import setting_of
from dvtool.formats.settings import shown
from dvtool.project.config import Config
from dvtool.project.config import Level
from dvtool.project.config import in_words
from dvtool.project.config import load_config
from dvtool.project.config import read_level
from dvtool.project.confirm import set_confirmed
from dvtool.project.confirm import unset_confirmed
from dvtool.project.edit import remove_remote
from dvtool.project.edit import rename_remote
from dvtool.project.edit import set_setting
from dvtool.project.edit import together
from dvtool.project.edit import unset_setting
from dvtool.project.environment import Environment
from dvtool.project.layout import Layout
from dvtool.project.oplog import begin_at
from dvtool.project.trust import standing_of
from dvtool.remote.redact import redact
from dvtool.remote.table import served_scheme

# Where a clone keeps its own settings. Credentials of a remote often lie in the first, its URL in the second.
_OF_THE_CLONE = (Level.LOCAL, Level.PROJECT)


@dataclass(frozen=True, slots=True)
class RemoteView:
    """A remote as it may be shown: no secrets. ``level`` is where its URL stands.

    ``secrets``: each that is set, and where. ``trust``: "needed", "given", or empty where none is.
    """

    name: str
    url: str
    default: bool
    level: str
    options: dict[str, str]
    secrets: dict[str, str] = field(default_factory=dict)
    mirrors: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    trust: str = ""


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
    with begin_at(layout, environment, "remote add") as operation, together(layout):
        operation.prepare(summary=f"the remote {name}")
        remove_remote(layout, level, name)
        set_confirmed(layout, environment, level, f"remote.{name}.url", url)
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
            secrets = {
                key: in_words(remote.origins[key]) for key in options if setting_of(Key("remote", name, key)).secret
            }
            standing = standing_of(config, environment.environ, name)
            trust = "" if not standing.needs_trust else "given" if standing.trusted else "needed"
            view = RemoteView(
                name,
                redact(remote.url),
                name == chosen,
                origin.level.value,
                options,
                secrets,
                remote.names("mirrors"),
                remote.names("paths"),
                trust,
            )
            views.append(view)
    return tuple(views)


def remote_modify(
    environment: Environment,
    name: str,
    option: str,
    value: str | None,
    level: Level = Level.PROJECT,
    *,
    with_trust: bool = False,
) -> bytes:
    """Set one option of a remote, or remove it with None; returns the path of the file.

    *with_trust*: into the committed file also what counts only for those who trust the remote.
    """
    layout = layout_of(environment, level)
    key = f"remote.{name}.{option}"
    with begin_at(layout, environment, "remote modify") as operation, together(layout):
        operation.prepare(summary=f"{option} of the remote {name}")
        if value is None:
            return unset_confirmed(layout, environment, level, key)
        _require(load_config(layout, environment, {}), name)
        if option.lower() == "url":
            value = _stored_url(layout, environment, name, value, level)
        return set_confirmed(layout, environment, level, key, value, with_trust=with_trust)


def remote_remove(environment: Environment, name: str, level: Level | None = None) -> tuple[bytes, ...]:
    """Forget a remote and return the files changed; its data stays. Without *level*: in both files of this clone."""
    layout = layout_of(environment, level)
    levels = _OF_THE_CLONE if level is None else (level,)
    with begin_at(layout, environment, "remote remove") as operation, together(layout):
        operation.prepare(summary=f"the remote {name}")
        changed = [path for each in levels if (path := remove_remote(layout, each, name)) is not None]
        if not changed:
            raise _not_there(load_config(layout, environment, {}), name)
        for each in _default_levels(layout, levels, name):
            unset_setting(layout, each, "core.remote")
        _change_mirrors(layout, levels, name, None)
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
    with begin_at(layout, environment, "remote rename") as operation, together(layout):
        operation.prepare(summary=f"the remote {old} is called {new}")
        changed = [path for each in levels if (path := rename_remote(layout, each, old, new)) is not None]
        if not changed:
            raise _not_there(config, old)
        for each in default:
            set_setting(layout, each, "core.remote", new)
        _change_mirrors(layout, levels, old, new)
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


@dataclass(frozen=True, slots=True)
class TrustView:
    """What is to be trusted. ``stated``: the committed settings concerned, as they may be shown. ``doubtful``:
    those of them that count only then. ``secrets``: what may then go to ``server``. ``tokens``: so may this
    machine's own credentials. ``digest`` is what ``DVTOOL_TRUST`` would hold."""

    name: str
    server: str
    stated: dict[str, str]
    doubtful: tuple[str, ...]
    secrets: dict[str, str]
    tokens: bool
    digest: str
    trusted: bool
    needed: bool


def remote_standing(environment: Environment, name: str) -> TrustView:
    """What trusting a remote would mean; raises `ConfigError` for one that does not exist."""
    config = load_config(layout_of(environment), environment, {})
    _require(config, name)
    standing = standing_of(config, environment.environ, name)
    return TrustView(
        name,
        standing.server,
        {found.key.name: shown(found.key, found.text) for found in standing.stated},
        tuple(found.key.name for found in standing.doubtful),
        {found.key.name: in_words(found.origin) for found, _ in standing.unbound},
        standing.tokens,
        standing.digest,
        standing.trusted,
        standing.needs_trust,
    )


def remote_trust(environment: Environment, name: str, digest: str | None) -> None:
    """Remember in this clone that its user trusts those exact values, or no others any more (None)."""
    layout = layout_of(environment)
    key = f"remote.{name}.trusted"
    with begin_at(layout, environment, "remote trust") as operation:
        operation.prepare(summary=f"the remote {name} is trusted" if digest else f"the remote {name} is not trusted")
        if digest is not None:
            set_setting(layout, Level.LOCAL, key, digest)
        elif parse_key(key) in read_level(layout, Level.LOCAL):
            unset_setting(layout, Level.LOCAL, key)


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


def _change_mirrors(layout: Layout, levels: Sequence[Level], old: str, new: str | None) -> None:
    """Where other remotes name it as a mirror, it goes by its new name, or goes."""
    for level in levels:
        for key, found in read_level(layout, level).items():
            names = [name.strip() for name in found.text.split(",")]
            if key.section == "remote" and key.name == "mirrors" and old in names:
                kept = [new if name == old else name for name in names]
                texts = [name for name in kept if name is not None]
                if texts:
                    set_setting(layout, level, str(key), ", ".join(texts))
                else:
                    unset_setting(layout, level, str(key))


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

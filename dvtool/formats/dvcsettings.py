"""DVC's settings in dvtool's words."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from collections.abc import Mapping
from typing import NamedTuple

from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import UsageError
from dvtool.formats.config import Key
from dvtool.formats.config import check_name
from dvtool.formats.dvcconfig import DvcSetting
from dvtool.formats.setting import Type
from dvtool.formats.settings import is_true
from dvtool.formats.settings import parse_value
from dvtool.formats.settings import setting_of

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_CHAINED = "remote://"
_SAME = frozenset({"core.remote", "core.checksum_jobs", "core.autostage", "cache.shared", "cache.type"})
_NEEDLESS = frozenset(
    {
        "core.analytics",
        "core.check_update",
        "core.experiments",
        "core.hardlink_lock",
        "core.interactive",
        "core.site_cache_dir",
        "cache.protected",
        "cache.slow_link_warning",
        "cache.verify",
        "remote.*.cache_regions",
        "remote.*.checksum_jobs",
        "remote.*.listobjects",
        "remote.*.no_traverse",
        "remote.*.protected",
        "remote.*.shared",
        "remote.*.slow_link_warning",
        "remote.*.type",
        "remote.*.verify",
    }
)
"""What dvtool does anyway, or what there is nothing to set for."""
_RENAMED = {"connection_timeout": "connect_timeout"}
_BY_VERSION = ("version_aware", "worktree")


class Translated(NamedTuple):
    """A setting of dvtool, and the line of DVC's file that it comes from."""

    key: Key
    value: str
    line: int


class Translation(NamedTuple):
    """``versioned``: remotes whose objects lie there under names of their own, by the server's versions: dvtool does
    not read those. ``cache_dir``: where DVC's cache is, as written; empty for its usual place. ``unknown``: settings
    that have no counterpart, in words."""

    settings: tuple[Translated, ...]
    versioned: tuple[str, ...] = ()
    cache_dir: str = ""
    unknown: tuple[str, ...] = ()


def translate(found: Iterable[DvcSetting], where: str, folder: str = ".dvc") -> Translation:
    """Raises `ConfigError` for a remote whose name dvtool cannot use. *folder*: where the file lies, from the root of
    the project, for relative paths start there."""
    rows = tuple(found)
    remotes: dict[str, dict[str, DvcSetting]] = {}
    for row in rows:
        if row.section == "remote" and row.name:
            remotes.setdefault(row.name, {})[row.key] = row
    settings: list[Translated] = []
    unknown: list[str] = []
    versioned = []
    cache_dir = ""
    for row in rows:
        general = f"{row.section}.*.{row.key}" if row.name else f"{row.section}.{row.key}"
        if general == "cache.dir":
            cache_dir = row.value
        elif row.name and row.key in _BY_VERSION:
            if is_true(row.value) and row.name not in versioned:
                versioned.append(row.name)
        elif general in _NEEDLESS or (row.section == "core" and row.key == "no_scm"):
            continue
        elif general in _SAME:
            settings.append(Translated(Key(row.section, None, row.key), row.value, row.line))
        elif row.section != "remote" or not row.name or row.key in ("ask_password", "ask_passphrase"):
            unknown.append(_dotted(row))
        else:
            settings += _of_remote(row, remotes, where, folder, unknown)
    return Translation(tuple(settings), tuple(versioned), cache_dir, tuple(unknown))


def _of_remote(
    row: DvcSetting,
    remotes: Mapping[str, Mapping[str, DvcSetting]],
    where: str,
    folder: str,
    unknown: list[str],
) -> Iterable[Translated]:
    try:
        name = check_name(row.name)
    except UsageError as error:
        raise ConfigError(f"{where}:{row.line}: {error.message}", path=where, hint=error.hint) from None
    if row.key == "url" and row.value.startswith(_CHAINED):
        base, _, rest = row.value.removeprefix(_CHAINED).partition("/")
        if base not in remotes or "url" not in remotes[base]:
            unknown.append(f"{_dotted(row)} (it stands on the remote {base!r}, which is configured elsewhere)")
            return
        own = {key for key in remotes[row.name] if key != "url"}
        for key, outer in remotes[base].items():
            if key == "url":
                joined = outer.value.rstrip("/") + "/" + rest
                yield from _of_remote(outer._replace(name=name, value=joined), remotes, where, folder, unknown)
            elif key not in own:
                yield from _of_remote(outer._replace(name=name), remotes, where, folder, unknown)
        return
    ours = Key("remote", name, _RENAMED.get(row.key, row.key))
    try:
        kind = setting_of(ours).type
        value = _placed(row.value, folder) if kind in (Type.URL, Type.PATH) else row.value
        parse_value(ours, value)
    except DvtoolError:
        unknown.append(_dotted(row))
        return
    yield Translated(ours, value, row.line)


def _placed(text: str, folder: str) -> str:
    """A path as it is meant from the root. A URL, an absolute path, and one from the home directory stay."""
    if _SCHEME.match(text) or text.startswith(("/", "~")):
        return text
    return posixpath.normpath(posixpath.join(folder, text))


def _dotted(row: DvcSetting) -> str:
    return ".".join(part for part in row[:3] if part)

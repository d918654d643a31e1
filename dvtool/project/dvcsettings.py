"""The settings of a project of DVC, which is read as it is: DVC's files in DVC's order, each below ours."""

from __future__ import annotations

import os
from collections.abc import Mapping

from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.formats.config import Key
from dvtool.formats.dvcconfig import decode_dvcconfig
from dvtool.formats.dvcsettings import Translation
from dvtool.formats.dvcsettings import translate
from dvtool.formats.settings import carries_secret
from dvtool.formats.settings import check_in_project
from dvtool.formats.settings import needs_trust
from dvtool.model.paths import show
from dvtool.project.config import Found
from dvtool.project.config import Level
from dvtool.project.config import Origin
from dvtool.project.config import read_config_file
from dvtool.project.environment import Environment
from dvtool.project.layout import Layout
from dvtool.project.locate import DVC_CONFIG

_LOCAL = b".dvc/config.local"


def with_dvc_settings(
    layout: Layout, environment: Environment, ours: Mapping[Level, Mapping[Key, Found]]
) -> dict[Level, dict[Key, Found]]:
    """Ours, and what DVC's file of the same place says where ours says nothing."""
    found: dict[Level, dict[Key, Found]] = {each: {} for each in (Level.LOCAL, Level.PROJECT, Level.USER, Level.SYSTEM)}
    for level, path in reversed(_files(layout, environment)):
        found[level].update(_found(level, path))
    return {level: {**theirs, **ours.get(level, {})} for level, theirs in found.items()}


def dvc_cache(layout: Layout, environment: Environment) -> bytes:
    """Where DVC's settings say that its cache is; empty for its usual place.

    What the committed file says counts inside the project alone: a clone must not read somebody's files by it.
    """
    for level, file in _files(layout, environment):
        try:
            stated = _translated(level, file).cache_dir
        except DvtoolError:
            continue
        if stated:
            base = os.path.dirname(file)
            path = os.fsencode(stated)
            path = os.path.join(environment.home, path[2:]) if path.startswith(b"~/") else path
            full = os.path.normpath(os.path.join(base, path))
            if level is not Level.PROJECT or full.startswith(layout.root + b"/"):
                return full
    return b""


def versioned_remotes(layout: Layout, environment: Environment) -> frozenset[str]:
    """Remotes whose objects lie under names of the user's files, by the server's versions: those are not read."""
    found: set[str] = set()
    for level, path in _files(layout, environment):
        found.update(_translated(level, path).versioned)
    return frozenset(found)


def _files(layout: Layout, environment: Environment) -> tuple[tuple[Level, bytes], ...]:
    """DVC's files, the strongest first. One of the user's own that somebody has committed counts as committed."""

    def folder(variable: str, *default: bytes) -> bytes:
        stated = environment.environ.get(variable, "")
        return os.fsencode(stated) if stated else os.path.join(*default, b"dvc")

    home = os.path.dirname(os.path.dirname(layout.user_config))
    system = os.path.dirname(os.path.dirname(layout.system_config))
    own = os.path.join(layout.root, _LOCAL)
    return (
        (Level.PROJECT if _is_committed(layout, own) else Level.LOCAL, own),
        (Level.PROJECT, os.path.join(layout.root, DVC_CONFIG)),
        (Level.USER, os.path.join(folder("DVC_GLOBAL_CONFIG_DIR", home), b"config")),
        (Level.SYSTEM, os.path.join(folder("DVC_SYSTEM_CONFIG_DIR", system), b"config")),
    )


def _is_committed(layout: Layout, path: bytes) -> bool:
    if layout.git is None or not os.path.lexists(path):
        return False
    from dvtool.git.worktree import tracked

    return bool(tracked(layout.git, [layout.to_git(_LOCAL)]))


def _translated(level: Level, path: bytes) -> Translation:
    where = show(path)
    if level in (Level.LOCAL, Level.PROJECT) and os.path.islink(path):
        raise UnsafeInput(f"{where} is a symbolic link", path=path, hint="replace it with a file")
    data = read_config_file(path)
    if not data:
        return Translation(())
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"{where}: not UTF-8", path=path) from None
    inside = level in (Level.LOCAL, Level.PROJECT)
    folder = ".dvc" if inside else os.fsdecode(os.path.dirname(path))
    return translate(decode_dvcconfig(text, where), where, folder)


def _found(level: Level, path: bytes) -> dict[Key, Found]:
    found = {}
    for each in _translated(level, path).settings:
        # A secret that somebody has committed is nobody's to use: set one of your own.
        if level is Level.PROJECT and not needs_trust(each.key, each.value):
            if carries_secret(each.key, each.value):
                continue
            try:
                check_in_project(each.key, each.value)
            except UnsafeInput:
                continue
            except ConfigError as error:
                raise ConfigError(f"{show(path)}:{each.line}: {error.message}", path=path, hint=error.hint) from error
        found[each.key] = Found(each.key, each.value, Origin(level, path, each.line))
    return found

"""Where the cache is."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dvtool.api.config import layout_of
from dvtool.api.config import stored_path
from dvtool.project.cacheroots import keep_in_shared_cache
from dvtool.project.config import Level
from dvtool.project.edit import set_setting
from dvtool.project.edit import unset_setting
from dvtool.project.environment import Environment
from dvtool.project.open import open_project
from dvtool.project.oplog import begin_at
from dvtool.project.parts import open_cache


@dataclass(frozen=True, slots=True)
class CacheDirResult:
    """The cache directory, absolute; the place that sets it ("default" if none); the one before a change."""

    dir: bytes
    level: str
    before: bytes | None = None


def cache_dir(environment: Environment) -> CacheDirResult:
    """The cache directory in force."""
    project = open_project(environment.cwd, environment)
    origin = project.config.origin("cache.dir")
    return CacheDirResult(project.layout.cache_dir, "default" if origin is None else origin.level.value)


def set_cache_dir(environment: Environment, path: str | None, level: Level = Level.LOCAL) -> CacheDirResult:
    """Use another directory, or with None the default again. Nothing is moved.

    If others use it as well, they learn what this workspace needs of it.

    *path* is meant from the current directory. Raises `UnsafeInput` for the committed file.
    """
    before = cache_dir(environment).dir
    layout = layout_of(environment, level)
    with begin_at(layout, environment, "cache dir") as operation:
        operation.prepare(summary="another cache directory" if path is not None else "the default cache directory")
        if path is None:
            unset_setting(layout, level, "cache.dir")
        else:
            stored = stored_path(layout, environment, path, level)
            # A cache inside the project follows it; one outside stays where it is.
            whole = os.path.normpath(os.path.join(layout.root, os.fsencode(stored)))
            inside = whole.startswith(layout.root + b"/")
            set_setting(layout, level, "cache.dir", stored if inside else os.fsdecode(whole))
    project = open_project(environment.cwd, environment)
    keep_in_shared_cache(project, open_cache(project), ())
    after = cache_dir(environment)
    return CacheDirResult(after.dir, after.level, before)

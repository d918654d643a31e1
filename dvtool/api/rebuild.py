"""Making anew what only saves time: the cache's index and the workspace's memo."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dvtool.errors import storage_error
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_tracked
from dvtool.project.parts import open_worktree
from dvtool.store.cache import Cache
from dvtool.store.salvage import SetAside
from dvtool.store.salvage import set_aside_damage
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.worktree import Worktree


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """``objects`` in ``packs`` are indexed again. ``set_aside``: packs whose table could not be read.

    ``files_hashed`` files of the worktree were read for the new memo.
    """

    packs: int
    objects: int
    set_aside: tuple[SetAside, ...]
    files_hashed: int
    bytes_hashed: int


def rebuild(project: Project, reporter: Reporter = SILENT) -> RebuildResult:
    """Throw index and memo away and make them again from the packs and the files. No data is touched.

    Raises `StorageError`, `Locked`, and what reading the pointers raises.
    """
    cache = open_cache(project)
    tracked = open_tracked(project)
    with open_worktree(project, cache) as worktree:
        worktree.lock("dvtool doctor --rebuild")
        objects, aside = _index(cache, reporter) if os.path.isdir(cache.root) else (0, ())
        clear_memo(worktree)
        reporter.begin("hashing")
        snapshot = worktree.snapshot(HashSink(), reporter)
        for item in tracked:
            worktree.current(snapshot, item.path, is_top=True)
        reporter.end()
        counts = snapshot.counts
    return RebuildResult(len(cache.packs.keys()), objects, aside, counts.files_hashed, counts.bytes_hashed)


def _index(cache: Cache, reporter: Reporter) -> tuple[int, tuple[SetAside, ...]]:
    aside = set_aside_damage(cache, what="dvtool doctor --rebuild", on_wait=reporter.note)
    try:
        with cache.lock.acquire(shared=False, on_wait=reporter.note, what="dvtool doctor --rebuild"):
            objects = cache.packs.rebuild_index()
    except OSError as error:
        raise storage_error(error, "rebuild the index in", error.filename or cache.root) from error
    return objects, tuple(aside)


def clear_memo(worktree: Worktree) -> None:
    """Forget all but what dvtool itself placed: no look at the files could tell that again."""
    memo = worktree.memo
    placed = {path: memo.applied(path) for path in memo.applied_paths()}
    memo.clear()
    for path, entry in placed.items():
        if entry is not None:
            memo.put_applied(path, entry)

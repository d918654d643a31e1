"""What commands that were killed, and damage, have left: every place where dvtool puts a file is looked at."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from dvtool.disk.beneath import open_root
from dvtool.disk.durable import PART_PREFIX
from dvtool.disk.durable import TEMPORARY_PREFIX
from dvtool.disk.replace import RESCUED_PREFIX
from dvtool.errors import DvtoolError
from dvtool.errors import storage_error
from dvtool.model.paths import show
from dvtool.project.open import Project
from dvtool.project.oplog import operations
from dvtool.project.undochoice import changes_something
from dvtool.project.workspaces import state_dirs
from dvtool.store.cache import Cache
from dvtool.store.fsck.listing import list_cache
from dvtool.store.trash import list_runs
from dvtool.workspace.aside import waiting_in
from dvtool.workspace.attempts import Attempts
from dvtool.workspace.sinks import hash_large

_OWN = (TEMPORARY_PREFIX, PART_PREFIX)
_SOON = "the next command that changes anything removes it"


class LeftKind(Enum):
    """What was left. Only the first two can hold bytes that are nowhere else."""

    RESCUED = "rescued"
    WORKTREE = "worktree-temporary"
    CACHE = "cache-temporary"
    STATE = "state-temporary"
    CHECKOUT = "interrupted-checkout"
    STAGE = "interrupted-stage"
    FAILED = "failed-stage"
    OPERATION = "interrupted-operation"
    UPLOAD = "interrupted-push"
    QUARANTINE = "quarantine"
    TRASH = "trash"


class Left(NamedTuple):
    """One thing that was left. ``path`` is absolute, empty for what is no file; ``next``: what becomes of it."""

    kind: LeftKind
    path: bytes
    size: int
    what: str
    next: str


def leftovers(project: Project, cache: Cache) -> tuple[Left, ...]:
    """Everything, also what belongs to a command that is at work just now. Raises `StorageError`, `FormatError`."""
    try:
        return (
            *_in_worktree(project, cache),
            *_interrupted(project),
            *_in_state(project),
            *_in_cache(cache),
        )
    except OSError as error:
        raise storage_error(error, "look for leftovers in", error.filename or project.root) from error


def _in_worktree(project: Project, cache: Cache) -> Iterator[Left]:
    for folder, folders, names in os.walk(project.root):
        if folder == project.root and b".git" in folders:
            folders.remove(b".git")
        unfinished = [name for name in folders if name.startswith(_OWN)]
        for name in unfinished:
            folders.remove(name)
        for name in sorted([*names, *unfinished]):
            path = os.path.join(folder, name)
            if name.startswith(RESCUED_PREFIX):
                what = "an earlier version of a file that was changed while a command replaced it"
                yield Left(LeftKind.RESCUED, path, _size(path), what, "look at it, then move it to a name of its own")
            elif name.startswith(PART_PREFIX):
                yield Left(LeftKind.WORKTREE, path, _size(path), "an unfinished file", _SOON)
            elif name.startswith(TEMPORARY_PREFIX):
                yield _stand_in(cache, folder, name)


def _stand_in(cache: Cache, folder: bytes, name: bytes) -> Left:
    """A temporary that may be the user's own file, taken out of its name a moment before the kill."""
    path = os.path.join(folder, name)
    fd = open_root(folder)
    try:
        if stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode) or cache.has_blob(
            hash_large(fd, name, path)[0]
        ):
            return Left(LeftKind.WORKTREE, path, _size(path), "a file whose bytes the cache has", _SOON)
    except (DvtoolError, OSError):
        pass
    finally:
        os.close(fd)
    what = "a file whose bytes the cache does not have: maybe the only copy"
    return Left(LeftKind.WORKTREE, path, _size(path), what, "look at it, then move it to a name of its own")


def _interrupted(project: Project) -> Iterator[Left]:
    for folder in state_dirs(project):
        if Attempts(folder).were_interrupted:
            what = "a checkout that did not end"
            yield Left(LeftKind.CHECKOUT, os.path.join(folder, b"checkout"), 0, what, "`dvtool checkout` finishes it")
        for where, stage, path in waiting_in(folder):
            what = f"{show(path)}, which stage {stage} was to replace when its run was killed"
            yield Left(
                LeftKind.STAGE, where, _size(where), what, "the next command that changes anything gives it back"
            )
        for name in _names(os.path.join(folder, b"failed"), (b"",)):
            path = os.path.join(folder, b"failed", name)
            what = "what a stage had written when it failed"
            yield Left(LeftKind.FAILED, path, _size(path), what, "the next run of that stage removes it")
        for name in _names(os.path.join(folder, b"push"), (b"upload-",)):
            path = os.path.join(folder, b"push", name)
            what = "notes of a push that did not end"
            yield Left(LeftKind.UPLOAD, path, _size(path), what, "`dvtool push` goes on from there")
    for logged in operations(project.layout)[-1:]:
        if not logged.is_done and logged.operation is not None:
            words = f"{logged.operation.verb} {logged.operation.summary}".strip()
            what = f"operation {logged.id} ({words}) did not end"
            undo = ", or take it back with `dvtool undo`" if changes_something(logged.operation) else ""
            yield Left(LeftKind.OPERATION, b"", 0, what, f"run it again{undo}")


def _in_state(project: Project) -> Iterator[Left]:
    layout = project.layout
    places = [layout.root + b"/.dvtool"]
    for folder in state_dirs(project):
        places += [folder, *(os.path.join(folder, name) for name in _folders(folder))]
    if project.git is not None:
        common = project.git.common_dir
        places += [os.path.join(common, b"dvtool"), os.path.join(common, b"info")]
    for folder in dict.fromkeys(places):
        if folder.startswith(layout.root + b"/.dvtool"):
            continue  # seen with the worktree
        for name in _names(folder, _OWN):
            path = os.path.join(folder, name)
            yield Left(
                LeftKind.STATE, path, _size(path), "an unfinished note of dvtool's own", "it holds no data: delete it"
            )


def _in_cache(cache: Cache) -> Iterator[Left]:
    listing = list_cache(cache.root)
    for place in listing.leftovers:
        path = os.path.join(cache.root, place)
        what = "an unfinished object; what it was made from is where it was"
        yield Left(LeftKind.CACHE, path, _size(path), what, _SOON)
    for place, size in listing.quarantined:
        path = os.path.join(cache.root, place)
        what = "a file of the cache that was proved damaged; what was right in it was saved"
        yield Left(LeftKind.QUARANTINE, path, size, what, "delete it when `dvtool fsck` finds nothing missing")
    for run, stored in list_runs(cache):
        path = os.path.join(cache.root, b"trash", os.fsencode(run.id))
        what = f"{run.objects:,} objects that `{show(os.fsencode(run.why))}` took"
        yield Left(LeftKind.TRASH, path, stored, what, "`dvtool undo` puts them back until they expire")


def _names(folder: bytes, prefixes: tuple[bytes, ...]) -> Iterable[bytes]:
    try:
        return sorted(name for name in os.listdir(folder) if name.startswith(prefixes))
    except (FileNotFoundError, NotADirectoryError):
        return ()


def _folders(folder: bytes) -> Iterator[bytes]:
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    # The cache lies beside them, and is looked at for itself.
    yield from (name for name in names if name != b"cache" and os.path.isdir(os.path.join(folder, name)))


def _size(path: bytes) -> int:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0

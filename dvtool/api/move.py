"""Moving or renaming what is tracked: data, pointer, ignore line and memo together."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from dvtool.disk.beneath import open_dir
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.oplog import Move
from dvtool.formats.oplog import Row
from dvtool.model.paths import POINTER_SUFFIX
from dvtool.model.paths import is_below
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import LINK
from dvtool.project.cacheroots import keep_in_shared_cache
from dvtool.project.newpath import check_new_path
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.outputs import refused
from dvtool.project.pages import PageSource
from dvtool.project.parts import is_durable
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_tracked
from dvtool.project.parts import open_worktree
from dvtool.project.parts import relative_path
from dvtool.project.recording import record_pointers
from dvtool.project.recording import unrecord_pointers
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.trees import lookup
from dvtool.workspace.moved import Spot
from dvtool.workspace.moved import follow
from dvtool.workspace.moved import move_data
from dvtool.workspace.moved import plan_sides
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.pointers import pointer_path_of
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.worktree import Worktree


@dataclass(frozen=True, slots=True)
class MoveRequest:
    """``source``: a tracked path, its pointer, or a path inside a tracked directory. ``target``: the
    new path, or an existing directory that shall hold it.
    """

    source: bytes
    target: bytes


@dataclass(frozen=True, slots=True)
class MoveResult:
    """``moved_data`` is False where nothing of it stands in the worktree: then pointers alone changed."""

    source: bytes
    target: bytes
    moved_data: bool
    git_files: tuple[bytes, ...]


def move(project: Project, request: MoveRequest, reporter: Reporter = SILENT) -> MoveResult:
    """Rename without copying, and without hashing anything again. Never replaces anything.

    What is recorded moves as it is: a file with changes keeps them. A move that was killed is
    completed by the same command. Raises `UsageError`, `UnsafeInput`, `MissingData`, `StorageError`.
    """
    cache = open_cache(project)
    durable = is_durable(project)
    with open_worktree(project, cache) as worktree, begin(project, "move") as operation:
        worktree.lock("dvtool move")
        tracked = open_tracked(project)
        with CacheWriter(cache, what="dvtool move", on_wait=reporter.note) as writer:
            writer.keep_pages()
            with PageSource(project, writer, reporter) as pages:
                source, target = _spots(project, worktree, tracked, pages, request)
                sides = plan_sides(pages.get, writer.put_tree, source, target, worktree.base)
            writer.commit()
            # Before the lock is given back: a collection from another workspace must not come between.
            keep_in_shared_cache(project, cache, [item for item in (sides.target, sides.source) if item is not None])
        operation.prepare(bases=[Row(path, worktree.base(path), base) for path, base in sides.bases.items()])
        if worktree.stat(source.path) is not None:
            made = _first_missing(worktree, split(target.path)[0])
            operation.record(moves=[Move(source.path, target.path, made)])
        touched = [item.pointer_path for item in (sides.target, sides.source, sides.removed) if item is not None]
        worktree.sweep(worktree.leftovers_beside(touched), reporter)
        _make_directory(worktree, split(sides.target.pointer_path)[0])
        git_files = {*record_pointers(project, [sides.target], durable=durable).git_files}
        renamed = move_data(worktree, source.path, target.path, durable=durable)
        follow(worktree, worktree.snapshot(HashSink(), reporter), source, target, sides.bases, renamed)
        if sides.removed is not None:
            git_files.update(unrecord_pointers(project, [sides.removed], durable=durable))
        elif sides.source is not None:
            git_files.update(record_pointers(project, [sides.source], durable=durable).git_files)
    return MoveResult(source.path, target.path, renamed is not None, tuple(sorted(git_files)))


def _spots(
    project: Project, worktree: Worktree, tracked: TrackedPaths, pages: PageSource, request: MoveRequest
) -> tuple[Spot, Spot]:
    """Both ends, checked: the move can be made, or goes on where it was killed."""
    source = _spot(tracked, pages, _data_path(tracked, relative_path(project, request.source)))
    path = _data_path(tracked, relative_path(project, request.target))
    if source.owner is not None and source.owner.stage:
        raise refused(source.owner, source.path, "change the path in the stage in dvtool.yaml, then `dvtool repro`")
    if source.owner is None:
        raise UsageError(f"{show(source.path)} is not tracked", path=source.path, hint="git mv moves what Git tracks")
    target = _spot(tracked, pages, path)
    if _goes_on(worktree, source, target):
        return source, target
    status = worktree.stat(path) if path else os.stat(project.root)
    if status is not None and stat.S_ISDIR(status.st_mode):
        target = _spot(tracked, pages, join(path, split(source.path)[1]))
    if not _goes_on(worktree, source, target):
        _check(project, worktree, tracked, source, target)
    return source, target


def _data_path(tracked: TrackedPaths, path: bytes) -> bytes:
    """A path, or the one that a pointer stands for."""
    item = tracked.by_pointer().get(path)
    if item is not None:
        return item.path
    inside = tracked.owner(path) is not None
    return path if inside else path.removesuffix(POINTER_SUFFIX)


def _spot(tracked: TrackedPaths, pages: PageSource, path: bytes) -> Spot:
    owner = tracked.owner(path)
    if owner is None or owner.path == path:
        return Spot(path, owner, None if owner is None else owner.as_entry)
    if not owner.is_directory:
        raise UsageError(f"{show(owner.path)} is tracked as a file, so nothing stands below it", path=path)
    return Spot(path, owner, lookup(pages.get, owner.tree, path[len(owner.path) + 1 :]))


def _goes_on(worktree: Worktree, source: Spot, target: Spot) -> bool:
    """Whether the pointers say what a killed move leaves, and the data stands at one place only."""
    if source.path == target.path or target.entry is None:
        return False
    source_there, target_there = (worktree.stat(spot.path) is not None for spot in (source, target))
    if source.entry is not None:
        return source.entry.same_content(target.entry) and not (source_there and target_there)
    if source.tree_owner is None or source.tree_owner != target.tree_owner or target_there or not source_there:
        return False
    present = worktree.current(worktree.snapshot(HashSink(), SILENT), source.path, is_top=False)
    return present is not None and present.same_content(target.entry)


def _check(project: Project, worktree: Worktree, tracked: TrackedPaths, source: Spot, target: Spot) -> None:
    there = worktree.stat(source.path)
    if source.path == target.path:
        raise UsageError(f"{show(source.path)} is at that place already", path=source.path)
    if is_below(target.path, source.path):
        raise UsageError(f"{show(source.path)} cannot be moved into itself", path=source.path)
    if source.entry is None:
        what, hint = ("is not recorded yet", f"dvtool add {show(source.path)}") if there else ("does not exist", None)
        raise UsageError(f"{show(source.path)} {what}", path=source.path, hint=hint)
    if target.entry is not None or worktree.stat(target.path) is not None:
        raise UsageError(
            f"{show(target.path)} is there already, and nothing is replaced",
            path=target.path,
            hint="move it away or take another name",
        )
    if target.tree_owner is None and source.entry.kind == LINK:
        raise UnsafeInput(f"{show(source.path)} is a symbolic link, which a pointer cannot stand for", path=source.path)
    is_dir = source.entry.kind == DIRECTORY if there is None else stat.S_ISDIR(there.st_mode)
    check_new_path(project, worktree, tracked, target.path, is_dir=is_dir)
    pointer_path = pointer_path_of(target.path)
    if target.owner is None and worktree.stat(pointer_path) is not None:
        raise UsageError(f"{show(pointer_path)} is there already, and nothing is replaced", path=pointer_path)


def _first_missing(worktree: Worktree, directory: bytes) -> bytes:
    """The topmost directory that is to be made; empty for none."""
    made = b""
    while directory and worktree.stat(directory) is None:
        made, directory = directory, split(directory)[0]
    return made


def _make_directory(worktree: Worktree, path: bytes) -> None:
    try:
        os.close(open_dir(worktree.root_fd, path, create=True))
    except OSError as error:
        raise storage_error(error, "make", path) from error

"""Making files that share their bytes with the cache writable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dvtool.errors import DvtoolError
from dvtool.errors import storage_error
from dvtool.model.paths import split
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_tracked
from dvtool.project.parts import open_worktree
from dvtool.project.parts import relative_paths
from dvtool.store.trees import subtree
from dvtool.store.trees import walk
from dvtool.workspace.filereading import pack_signature
from dvtool.workspace.placing import Directories
from dvtool.workspace.selection import Selected
from dvtool.workspace.selection import select
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.snapshot import Snapshot
from dvtool.workspace.unprotecting import Unprotected
from dvtool.workspace.unprotecting import unprotect_file
from dvtool.workspace.worktree import Worktree


@dataclass(frozen=True, slots=True)
class UnprotectRequest:
    """``targets`` as in `StatusRequest`; at least one."""

    targets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class UnprotectResult:
    """``files``: those that were hard links, symbolic links or read-only. ``errors``: those that still are."""

    files: tuple[Unprotected, ...]
    bytes_copied: int
    errors: tuple[DvtoolError, ...] = ()


def unprotect(project: Project, request: UnprotectRequest, reporter: Reporter = SILENT) -> UnprotectResult:
    """Give tracked files bytes of their own, verified. One that fails does not stop the others.

    Raises `UsageError`, `StorageError`, `Locked`.
    """
    selected = select(open_tracked(project), relative_paths(project, request.targets))
    done: list[Unprotected] = []
    errors: list[DvtoolError] = []
    copied = 0
    with open_worktree(project, open_cache(project)) as worktree:
        worktree.lock("dvtool unprotect")
        sink = HashSink()
        snapshot = worktree.snapshot(sink, reporter)
        directories = Directories(worktree.root_fd)
        try:
            for one in selected:
                current = worktree.current(snapshot, one.path, is_top=not one.below)
                for path, entry in _files(worktree, sink, one, current):
                    try:
                        found = unprotect_file(directories, worktree, path, entry)
                    except DvtoolError as error:
                        errors.append(error)
                        continue
                    except OSError as error:
                        raise storage_error(error, "make a copy of", path) from error
                    if found is not None:
                        done.append(found)
                        copied += entry.size if found.was != "read-only" else 0
                        _remember(worktree, snapshot, one, found, entry)
                is_directory = current is not None and current.kind == DIRECTORY
                _refresh(worktree, snapshot, one.path, is_directory=is_directory)
        finally:
            directories.close()
        beside = worktree.leftovers_beside(one.path for one in selected)
        worktree.sweep([*snapshot.leftovers, *beside], reporter)
    return UnprotectResult(tuple(done), copied, tuple(errors))


def raise_for(result: UnprotectResult) -> None:
    """Raise the error that the command ends with, if a file could not be made private."""
    if len(result.errors) == 1:
        raise result.errors[0]
    if result.errors:
        raise DvtoolError(f"{len(result.errors)} files are not private", causes=result.errors)


def _files(worktree: Worktree, sink: HashSink, one: Selected, current: Entry | None) -> Iterator[tuple[bytes, Entry]]:
    if current is not None and current.kind == FILE:
        yield one.path, current
    elif current is not None and current.kind == DIRECTORY:
        for path, entry in walk(worktree.current_pages(sink), subtree(current), one.path + b"/"):
            if entry.kind == FILE:
                yield path, entry


def _remember(worktree: Worktree, snapshot: Snapshot, one: Selected, found: Unprotected, entry: Entry) -> None:
    signature = pack_signature(found.signature)
    if found.path == one.item.path:
        worktree.memo.put_file(found.path, signature, entry.oid)
    else:
        snapshot.fresh[found.path] = (signature, entry)


def _refresh(worktree: Worktree, snapshot: Snapshot, path: bytes, *, is_directory: bool) -> None:
    """Let the memo know the new signatures, so that nothing is hashed again."""
    if snapshot.fresh:
        snapshot.directory(path if is_directory else split(path)[0])
        snapshot.fresh.clear()
    worktree.forget_seen()

"""Every object that a pointer of this repository names, wherever the pointer stands."""

from __future__ import annotations

import os
from collections.abc import Iterator

from dvtool.errors import DvtoolError
from dvtool.formats.lock import MAX_BYTES as LOCK_BYTES
from dvtool.formats.records import Root
from dvtool.git.run import GitRepo
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.project.open import Project
from dvtool.project.workspaces import state_dirs
from dvtool.store.cache import Cache
from dvtool.store.unnamed import Marks
from dvtool.store.unnamed import mark_below
from dvtool.workspace.pointers import find_pointers
from dvtool.workspace.pointers import outputs_of
from dvtool.workspace.pointers import read_tracked
from dvtool.workspace.pointers import tracked_in


def named_objects(project: Project, cache: Cache) -> Marks:
    """What pointers and locks in commits (reflogs and stashes too), indexes and worktrees name, with all below.

    A pointer that cannot be read names nothing. Other repositories that share the cache are not asked.
    """
    marks = Marks()
    trees = set()
    for root in named_roots(project):
        marks.add(root.oid)
        if root.directory:
            trees.add(root.oid)
    mark_below(cache, trees, marks)
    return marks


def named_roots(project: Project) -> Iterator[Root]:
    """What the same pointers name themselves; the same root may come several times."""
    from dvtool.project.dvckeeping import dvc_found
    from dvtool.project.dvckeeping import known_roots

    roots = list(_roots(project))
    for item, _ in dvc_found(project, tuple, everything=True):
        roots.append(Root(item.is_directory, item.pointer.digest.oid))
    known = known_roots(project, roots)
    yield from (root for each in roots for root in known.get(each, (each,)))


def _roots(project: Project) -> Iterator[Root]:
    for pointer in _pointers(project):
        try:
            yield Root(pointer.kind is Kind.DIRECTORY, pointer.digest.oid)
        except DvtoolError:
            continue


def _pointers(project: Project) -> Iterator[Pointer]:
    git = project.git
    for state_dir in state_dirs(project):
        yield from _unwritten(state_dir)
    if git is None:
        yield from _in_worktree(project.root, None, b"")
        return
    from dvtool.git.blobs import read_blobs
    from dvtool.git.history import all_pointer_blobs
    from dvtool.git.worktrees import worktrees

    paths = {version.blob: version.path for version in all_pointer_blobs(git, reflog=True, locks=True)}
    for worktree in worktrees(git).open:
        for subdir in {b"", project.layout.prefix.rstrip(b"/")}:
            paths.update(_staged(worktree, subdir))
            yield from _in_worktree(os.path.join(worktree.worktree, subdir), worktree, subdir)
    for sha, text in read_blobs(git, sorted(paths), limit=LOCK_BYTES):
        try:
            yield from (item.pointer for item in tracked_in(paths[sha], text, "a pointer in Git"))
        except DvtoolError:
            continue


def _unwritten(state_dir: bytes) -> Iterator[Pointer]:
    from dvtool.pipeline.lockfile import unwritten_stages

    try:
        yield from (item.pointer for each in unwritten_stages(state_dir) for item in outputs_of(*each))
    except DvtoolError:
        return


def _staged(git: GitRepo, subdir: bytes) -> Iterator[tuple[str, bytes]]:
    from dvtool.git.worktree import staged_pointers

    for path, blobs in staged_pointers(git, subdir, locks=True).items():
        yield from ((blob, path) for blob in blobs)


def _in_worktree(root: bytes, git: GitRepo | None, subdir: bytes) -> Iterator[Pointer]:
    for path in find_pointers(root, git, subdir, locks=True):
        try:
            yield from (item.pointer for item in read_tracked(root, path))
        except DvtoolError:
            continue

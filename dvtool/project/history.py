"""What was tracked at revisions: pointers and locks in Git's history."""

from __future__ import annotations

import os
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator

from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.formats.pointer import MAX_BYTES
from dvtool.model.paths import LOCK_JOURNAL
from dvtool.model.paths import LOCK_NAME
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.project.locate import DVC_CONFIG
from dvtool.project.open import Project
from dvtool.project.parts import settled
from dvtool.project.parts import settled_items
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.pointers import tracked_in


def tracked_at(project: Project, rev: str) -> TrackedPaths:
    """All tracked paths of a revision. Raises `UsageError` for an unknown one, `FormatError`, `UnsafeInput`."""
    from dvtool.git.blobs import read_blobs
    from dvtool.git.worktree import pointers_at

    if project.git is None:
        return TrackedPaths(())
    layout = project.layout
    try:
        found = pointers_at(project.git, rev, layout.prefix.rstrip(b"/"), locks=True)
    except DvtoolError:
        from dvtool.git.revisions import resolve

        # Git's own words for an unknown revision help nobody; most callers know that theirs is there.
        resolve(project.git, rev)
        raise
    if not found and is_foreign_at(project, rev):
        from dvtool.project.foreign import tracked_in_commit

        return settled(project, tracked_in_commit(project, rev))
    contents: dict[str, bytes] = {}
    files = iter(found)
    try:
        for (sha, data), _ in zip(read_blobs(project.git, found.values(), limit=_limit(found)), files):
            contents[sha] = data
    except FormatError as error:
        path = next(files)
        raise FormatError(f"{show(layout.from_git(path))} at {rev}: {error.message}", path=path) from error
    items: list[Tracked] = []
    uncached: set[bytes] = set()
    for path, sha in found.items():
        own = layout.from_git(path)
        items += tracked_in(own, contents[sha], f"{show(own)} at {rev}", uncached)
    return settled(project, TrackedPaths(items, uncached))


def is_foreign_at(project: Project, rev: str) -> bool:
    """Whether a commit has the project as DVC's and not as ours."""
    from dvtool.git.listing import files_at

    if project.git is None:
        return False
    prefix = project.layout.prefix
    ours, theirs = (any(files_at(project.git, rev, prefix + path)) for path in (b".dvtool/config", DVC_CONFIG))
    return theirs and not ours


def _limit(paths: Iterable[bytes]) -> int:
    if not any(split(path)[1] == LOCK_NAME for path in paths):
        return MAX_BYTES
    from dvtool.formats.lock import MAX_BYTES as LOCK_BYTES

    return LOCK_BYTES


def changed_since_head(
    project: Project, tracked: TrackedPaths
) -> Iterator[tuple[bytes, Tracked | None, Tracked | None]]:
    """Tracked path, what stands for it at ``HEAD`` and what does now, where the two differ."""
    return changed_since(project, tracked, "HEAD")


def changed_since(
    project: Project, tracked: TrackedPaths, rev: str
) -> Iterator[tuple[bytes, Tracked | None, Tracked | None]]:
    """The same for any commit. Raises `DvtoolError` for one that is not there."""
    from dvtool.git.blobs import read_blobs
    from dvtool.git.revisions import head
    from dvtool.git.worktree import changed_pointers

    if project.git is None:
        return
    layout = project.layout
    if project.foreign:
        at = tracked_at(project, rev) if rev != "HEAD" or head(project.git) is not None else TrackedPaths(())
        for path in sorted({item.path for item in at} | {item.path for item in tracked}):
            if at.get(path) != tracked.get(path):
                yield path, at.get(path), tracked.get(path)
        return
    files = {item.pointer_path for item in tracked}
    before: dict[bytes, str | None] = {}
    if rev == "HEAD" and head(project.git) is None:
        before = dict.fromkeys(files)
    else:
        for change in changed_pointers(project.git, rev, layout.prefix.rstrip(b"/"), locks=True):
            before[layout.from_git(change.path)] = change.old
        before |= {path: None for path in _untracked(project, files) if path not in before}
        before |= _behind(project, rev, files - before.keys())
    blobs = {sha for sha in before.values() if sha is not None}
    contents = dict(read_blobs(project.git, blobs, limit=_limit(before))) if blobs else {}
    old: dict[bytes, Tracked] = {}
    for path, sha in before.items():
        if sha is not None:
            items = tracked_in(path, contents[sha], f"{show(path)} at {rev}")
            old.update((item.path, item) for item in settled_items(project, items))
    new = {item.path: item for item in tracked if item.pointer_path in before}
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) != new.get(path):
            yield path, old.get(path), new.get(path)


def _untracked(project: Project, now: Collection[bytes]) -> list[bytes]:
    from dvtool.git.worktree import staged_pointers

    if project.git is None or not now:
        return []
    layout = project.layout
    known = {layout.from_git(path) for path in staged_pointers(project.git, layout.prefix.rstrip(b"/"), locks=True)}
    return [path for path in now if path not in known]


def _behind(project: Project, rev: str, files: Collection[bytes]) -> dict[bytes, str | None]:
    """Locks that a killed run is to write yet, with what the commit has: for Git nothing changed there."""
    state_dir = project.layout.state_dir
    if project.git is None or not os.path.lexists(os.path.join(state_dir, LOCK_JOURNAL)):
        return {}
    from dvtool.git.worktree import pointers_at
    from dvtool.pipeline.lockfile import LockReader

    locks = LockReader(project.root, state_dir).unwritten() & set(files)
    at_head = pointers_at(project.git, rev, project.layout.prefix.rstrip(b"/"), locks=True) if locks else {}
    return {path: at_head.get(project.layout.to_git(path)) for path in locks}

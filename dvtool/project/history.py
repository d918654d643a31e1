"""Pointers in Git's history."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator

from dvtool.errors import DvtoolError
from dvtool.formats.pointer import decode_pointer
from dvtool.model.paths import show
from dvtool.project.open import Project
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths


def tracked_at(project: Project, rev: str) -> TrackedPaths:
    """All tracked paths of a revision. Raises `UsageError` for an unknown one, `FormatError`, `UnsafeInput`."""
    from dvtool.git.blobs import read_blobs
    from dvtool.git.worktree import pointers_at

    if project.git is None:
        return TrackedPaths(())
    layout = project.layout
    try:
        found = pointers_at(project.git, rev, layout.prefix.rstrip(b"/"))
    except DvtoolError:
        from dvtool.git.revisions import resolve

        # Git's own words for an unknown revision help nobody; most callers know that theirs is there.
        resolve(project.git, rev)
        raise
    contents = dict(read_blobs(project.git, found.values()))
    return TrackedPaths(
        Tracked(
            layout.from_git(path),
            decode_pointer(contents[sha], f"{show(layout.from_git(path))} at {rev}"),
        )
        for path, sha in found.items()
    )


def changed_since_head(
    project: Project, tracked: TrackedPaths
) -> Iterator[tuple[bytes, Tracked | None, Tracked | None]]:
    """Pointer path, pointer at ``HEAD`` and pointer now, where the two differ."""
    from dvtool.git.blobs import read_blobs
    from dvtool.git.revisions import head
    from dvtool.git.worktree import changed_pointers

    now = tracked.by_pointer()
    if project.git is None:
        return
    layout = project.layout
    before: dict[bytes, str | None] = {}
    if head(project.git) is None:
        before = dict.fromkeys(now)
    else:
        for change in changed_pointers(project.git, "HEAD", layout.prefix.rstrip(b"/")):
            before[layout.from_git(change.path)] = change.old
        untracked = _untracked(project, now)
        before |= {path: None for path in untracked if path not in before}
    blobs = {sha for sha in before.values() if sha is not None}
    contents = dict(read_blobs(project.git, blobs)) if blobs else {}
    for path in sorted(before):
        sha = before[path]
        old = None
        if sha is not None:
            old = Tracked(path, decode_pointer(contents[sha], f"{show(path)} at HEAD"))
        new = now.get(path)
        if old != new:
            yield path, old, new


def _untracked(project: Project, now: Collection[bytes]) -> list[bytes]:
    from dvtool.git.worktree import staged_pointers

    if project.git is None or not now:
        return []
    layout = project.layout
    known = {layout.from_git(path) for path in staged_pointers(project.git, layout.prefix.rstrip(b"/"))}
    return [path for path in now if path not in known]

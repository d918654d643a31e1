"""Recording the present state of everything that is tracked."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dvtool.api.add import Added
from dvtool.api.add import AddRequest
from dvtool.api.add import add
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.parts import open_tracked
from dvtool.project.parts import relative_paths
from dvtool.workspace.selection import select


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """``targets`` as in `StatusRequest`; empty is everything that is tracked."""

    targets: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class CommitResult:
    """``recorded``: tracked paths whose pointer changed. ``missing``: those of which nothing stands in the worktree."""

    recorded: tuple[Added, ...]
    tracked: int
    missing: tuple[bytes, ...]
    files_seen: int
    files_hashed: int
    bytes_hashed: int
    git_files: tuple[bytes, ...]


def commit(project: Project, request: CommitRequest, reporter: Reporter = SILENT) -> CommitResult:
    """`add` for what is tracked already: store what changed, rewrite its pointers; of outputs of stages, their locks.

    A path of which nothing stands in the worktree keeps its pointer. Raises as `add`.
    """
    selected = select(open_tracked(project), relative_paths(project, request.targets))
    missing = tuple(
        one.path for one in selected if not one.below and not os.path.lexists(os.path.join(project.root, one.path))
    )
    present = tuple(os.path.join(project.root, one.path) for one in selected if one.path not in missing)
    if not present:
        return CommitResult((), len(selected), missing, 0, 0, 0, ())
    with begin(project, "commit"):
        result = add(project, AddRequest(present, outputs=True), reporter)
    return CommitResult(
        tuple(item for item in result.added if item.changed),
        len(selected),
        missing,
        result.files_seen,
        result.files_hashed,
        result.bytes_hashed,
        result.git_files,
    )

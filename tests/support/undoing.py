"""Taking operations back, and all that must then be as it was."""

from __future__ import annotations

from typing import Any

from dvtool.api.undo import UndoRequest
from dvtool.api.undo import UndoResult
from dvtool.api.undo import undo
from dvtool.project.oplog import operations
from dvtool.project.parts import open_worktree
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Tree
from tests.support.trees import tree_of
from tests.support.workbench import NOW
from tests.support.workbench import Workbench

V1: Tree = {"a.csv": "one", "run": Executable("#!/bin/sh\n"), "in": {"b": "two", "link": Link("../a.csv")}, "empty": {}}


def take_back(bench: Workbench, to: int | None = None, *, force: bool = False, dry_run: bool = False) -> UndoResult:
    return undo(bench.project, UndoRequest(to, force=force, dry_run=dry_run, now=NOW))


def state(bench: Workbench) -> dict[str, Any]:
    """All that an undo must bring back, byte for byte, and what later commands decide by."""
    git = bench.root / ".git"
    with open_worktree(bench.project) as worktree:
        bases = {path: worktree.base(path) for path in worktree.memo.applied_paths()}
    return {
        "worktree": tree_of(bench.root, without={b".git"}),
        "local config": (git / "dvtool/config").read_bytes() if (git / "dvtool/config").exists() else None,
        "exclude": (git / "info/exclude").read_bytes() if (git / "info/exclude").exists() else None,
        "bases": bases,
        "changes": bench.changes(),
    }


def ids(bench: Workbench) -> list[tuple[int, str]]:
    return [(each.id, each.operation.verb) for each in operations(bench.project.layout) if each.operation]


def git_switch(bench: Workbench) -> None:
    """The pointers go back to v1; the worktree still has v2."""
    bench.create({"data": {"a.csv": "two", "new": "n"}, "second": {"x": "y"}, "file": "f2"})
    (bench.root / "data/in/b").unlink()
    bench.add("data", "second", "file")
    bench.commit("v2")
    bench.git("checkout", "-q", "HEAD~1")

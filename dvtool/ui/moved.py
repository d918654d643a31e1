"""What `move` did, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.api.move import MoveResult
from dvtool.model.paths import show
from dvtool.ui.pathlists import path_list


def moved_lines(result: MoveResult) -> Iterator[str]:
    """From where to where, and what to tell Git."""
    note = "" if result.moved_data else "  (its data is not in the worktree)"
    yield f"{show(result.source)} -> {show(result.target)}{note}"
    if result.git_files:
        yield "next: git add " + " ".join(show(path) for path in result.git_files)


def moved_json(result: MoveResult) -> dict[str, object]:
    """The result with each path under a name."""
    return {
        "source": result.source,
        "target": result.target,
        "moved_data": result.moved_data,
        "git_files": path_list(result.git_files),
    }

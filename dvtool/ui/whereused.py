"""Where a digest is used, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

from dvtool.api.whereused import Use
from dvtool.api.whereused import WhereUsedResult
from dvtool.model.paths import show
from dvtool.ui.counts import count
from dvtool.ui.sizes import size
from dvtool.ui.terminal import Paint

_SHOWN = 10
_COMMIT_DIGITS = 10


def whereused_lines(result: WhereUsedResult, paint: Paint) -> Iterator[str]:
    """A block for each path: what holds it, and since when."""
    if result.digest is None:
        yield f"used nowhere: not in the worktree, not in {count(result.pointers, 'pointer')} of the history"
        return
    yield f"{result.digest}  {size(result.uses[0].size)}"
    for use in result.uses:
        yield ""
        yield paint(show(use.path), "cyan") + _what(use)
        if use.in_worktree:
            yield "  in the worktree"
        if use.refs:
            yield f"  in {_some([show(ref.encode('utf-8', 'surrogateescape')) for ref in use.refs])}"
        if use.commits:
            yield f"  since {_some([commit[:_COMMIT_DIGITS] for commit in use.commits])}"


def _what(use: Use) -> str:
    return {"directory": "/", "listing": "/  (a part of its listing)"}.get(use.kind, "")


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def whereused_json(result: WhereUsedResult) -> dict[str, object]:
    """Schema whereused/1."""
    return {
        "digest": None if result.digest is None else str(result.digest),
        "uses": result.uses,
        "unread": [{"path": path, "why": error.message} for path, error in result.unread],
    }

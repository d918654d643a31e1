"""How much room tracked data takes, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.api.du import DuResult
from dvtool.model.paths import show
from dvtool.ui.sizes import size
from dvtool.ui.tables import table
from dvtool.ui.terminal import Paint

_HEADINGS = ("FILES", "SIZE", "STORED", "SHARED", "ABSENT", "PATH")


def usage_lines(result: DuResult, paint: Paint) -> Iterator[str]:
    """A line for each path, their total, and what the columns leave open."""
    if not result.paths:
        yield "Nothing is tracked" + (f" at {result.rev}." if result.rev else " yet. Start with: dvtool add PATH")
        return
    where = f"on {result.store}" if result.store else "in the cache"
    rows = [
        (
            f"{one.files:,}",
            size(one.bytes),
            size(one.stored_bytes),
            _or_dash(one.shared_bytes),
            _or_dash(one.absent_bytes),
            show(one.path) + "/" * one.directory,
        )
        for one in result.paths
    ]
    absent = sum(one.absent_bytes for one in result.paths)
    total = (f"{result.files:,}", size(result.bytes), size(result.stored_bytes), "", _or_dash(absent), "total")
    heading, *lines = table([_HEADINGS, *rows, total], right=range(len(_HEADINGS) - 1))
    yield paint(heading, "bold")
    yield from lines
    yield f"STORED: {where}, compressed, and equal bytes once"
    if any(one.shared_bytes for one in result.paths):
        yield "SHARED: stored once and needed by several of these paths; the total counts it once"
    if absent:
        yield f"ABSENT: of files that are not {where}"
    if result.store_bytes is not None:
        yield f"{result.store} holds {size(result.store_bytes)} in all, other versions and projects too"
    for path, _ in result.unread:
        yield f"{show(path)}/: a listing is not {where}: what lies below it counts neither as stored nor as absent"


def _or_dash(count: int) -> str:
    return size(count) if count else "-"


def usage_json(result: DuResult) -> dict[str, object]:
    """Schema du/1."""
    return {
        "rev": result.rev,
        "remote": result.store or None,
        "paths": result.paths,
        "files": result.files,
        "bytes": result.bytes,
        "stored_bytes": result.stored_bytes,
        "remote_bytes": result.store_bytes,
        "unread": [{"path": path, "why": error.message} for path, error in result.unread],
    }

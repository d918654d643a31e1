"""What `drop` did or would do, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.api.drop import DropResult
from dvtool.model.paths import show
from dvtool.ui.counts import count
from dvtool.ui.pathlists import limited
from dvtool.ui.pathlists import path_list
from dvtool.ui.sizes import size


def dropped_lines(result: DropResult) -> Iterator[str]:
    """What went, what stays and why, how to get it back."""
    paths = ", ".join(map(show, result.paths[:3])) + (
        f" and {len(result.paths) - 3} more" if len(result.paths) > 3 else ""
    )
    where = f"on {' and '.join(result.remotes)}, looked at just now"
    would, files = ("would drop", "would be freed") if result.dry_run else ("dropped", "freed")
    yield f"{would} {paths}: {where}"
    yield f"  worktree: {count(result.files_removed, 'file')} ({size(result.worktree_bytes)})"
    yield f"  cache: {count(result.objects_freed, 'object')} ({size(result.cache_bytes)}) {files}"
    for who, number, amount in result.stays:
        yield f"  {count(number, 'file')} ({size(amount)}) stay in the cache: needed by {who}"
    if result.left:
        yield f"  {count(result.left, 'object')} stay in the cache for now: most of what lies beside them is needed"
    yield from limited("left as they are, not tracked:", map(show, result.kept))
    if not result.dry_run:
        yield f"get it back with: dvtool pull {show(result.paths[0])}"


def dropped_json(result: DropResult) -> dict[str, object]:
    """The same for programs."""
    return {
        "dry_run": result.dry_run,
        "paths": path_list(result.paths),
        "remotes": result.remotes,
        "files_removed": result.files_removed,
        "worktree_bytes": result.worktree_bytes,
        "objects_freed": result.objects_freed,
        "cache_bytes": result.cache_bytes,
        "objects_left": result.left,
        "stays": result.stays,
        "kept": path_list(result.kept),
    }

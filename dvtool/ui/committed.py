"""What `commit` recorded, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.api.commit import CommitResult
from dvtool.model.paths import show
from dvtool.ui.counts import count
from dvtool.ui.pathlists import limited
from dvtool.ui.pathlists import path_list
from dvtool.ui.sizes import size


def committed_lines(result: CommitResult) -> Iterator[str]:
    """A line for each path that was recorded, then what to tell Git."""
    for item in result.recorded:
        many = f"{count(item.files, 'file')}, " if item.kind != "file" else ""
        yield f"{show(item.path)}: {many}{size(item.size)}"
    if not result.recorded:
        yield f"nothing to record: {count(result.tracked, 'tracked path')} unchanged"
    yield from limited("not in the worktree, so their pointers stay (`dvtool pull`):", map(show, result.missing))
    if result.git_files:
        yield "next: git add " + " ".join(show(path) for path in result.git_files)


def committed_json(result: CommitResult) -> dict[str, object]:
    """The result with each path under a name."""
    return {
        "recorded": result.recorded,
        "tracked": result.tracked,
        "missing": path_list(result.missing),
        "files_seen": result.files_seen,
        "files_hashed": result.files_hashed,
        "bytes_hashed": result.bytes_hashed,
        "git_files": path_list(result.git_files),
    }

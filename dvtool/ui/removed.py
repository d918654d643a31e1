"""What `remove` did, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.api.remove import RemoveResult
from dvtool.model.paths import show
from dvtool.ui.counts import count
from dvtool.ui.pathlists import limited
from dvtool.ui.pathlists import path_list
from dvtool.ui.text import safe


def removed_lines(result: RemoveResult, *, outs: bool) -> Iterator[str]:
    """A line for each path, what was left, what to tell Git."""
    for stage in result.stages:
        yield f"{safe(stage)}: no stage any more"
    for path in result.paths:
        yield f"{show(path)}: not tracked any more"
    if not outs and result.git_files:
        yield "  the data stays; Git sees it from now on, so `git add .` would commit it"
    if outs:
        yield f"{count(result.files_removed, 'file')} removed"
    yield from limited("left as they are, not tracked:", map(show, result.kept))
    yield from limited("removed, their bytes are kept (see `dvtool recover`):", map(show, result.replaced_kept))
    if result.git_files:
        yield "next: git add " + " ".join(show(path) for path in result.git_files)


def removed_json(result: RemoveResult) -> dict[str, object]:
    """The result with each path under a name."""
    return {
        "paths": path_list(result.paths),
        "files_removed": result.files_removed,
        "kept": path_list(result.kept),
        "replaced_kept": path_list(result.replaced_kept),
        "git_files": path_list(result.git_files),
        "stages": result.stages,
    }

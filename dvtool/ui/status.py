"""A status in words."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator

from dvtool.api.status import Difference
from dvtool.api.status import StatusResult
from dvtool.model.paths import show
from dvtool.ui.counts import count
from dvtool.ui.sizes import size
from dvtool.ui.terminal import Paint

_COLOURS = {"added": "green", "modified": "yellow", "deleted": "red", "missing": "red", "outdated": "yellow"}


def status_lines(result: StatusResult, paint: Paint) -> Iterator[str]:
    """The differences under one heading a step: what to do next stands in the heading."""
    sections = (
        ("Changed in the worktree (record with: dvtool add PATH):", result.workspace),
        ("Not in the worktree (bring with: dvtool checkout, or dvtool pull):", result.missing),
        ("Recorded, not in the last commit (git add, then git commit):", result.committed),
        ("Not on the remote (upload with: dvtool push):", result.cloud or ()),
    )
    any_shown = False
    for heading, differences in sections:
        if differences:
            if any_shown:
                yield ""
            any_shown = True
            yield heading
            yield from difference_lines(differences, paint)
    if not result.tracked:
        yield "Nothing is tracked yet. Start with: dvtool add PATH"
    elif not any_shown:
        yield f"Up to date: {count(result.tracked, 'tracked path')}, {count(result.files_seen, 'file')}."


def difference_lines(differences: Iterable[Difference], paint: Paint) -> Iterator[str]:
    """One aligned line for each."""
    for change, path, amount, files, why in differences:
        many = f"{count(files, 'file')}, " if files != 1 else ""
        note = f"  ({why})" if why else ""
        yield f"  {paint(f'{change:<8}', _COLOURS[change])}  {show(path)}  {many}{size(amount)}{note}"

"""A status in words."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from dvtool.api.status import Difference
from dvtool.api.status import StatusResult
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.ui.counts import count
from dvtool.ui.sizes import size
from dvtool.ui.terminal import Paint

_COLOURS = {"added": "green", "modified": "yellow", "deleted": "red", "missing": "red", "outdated": "yellow"}


SHOWN = 20
"""More lines of one section are folded: a directory stands for what differs in it."""


def status_lines(result: StatusResult, paint: Paint, *, whole: bool = False) -> Iterator[str]:
    """The differences under one heading a step: what to do next stands in the heading. *whole*: each file."""
    tool = result.foreign or "dvtool"
    recording = f"{tool} commit" if result.has_outputs else f"{tool} add PATH"
    sections = (
        (f"Changed in the worktree (record with: {recording}):", result.workspace),
        ("Not in the worktree (bring with: dvtool checkout, or dvtool pull):", result.missing),
        ("Recorded, not in the last commit (git add, then git commit):", result.committed),
        (f"Not on the remote (upload with: {tool} push):", result.cloud or ()),
    )
    any_shown = bool(result.unmerged)
    if result.unmerged:
        yield "In conflict after a merge (see and decide with: dvtool resolve):"
        yield from (f"  {paint('both changed', 'red')}  {show(one.path)}" for one in result.unmerged)
    for heading, differences in sections:
        if differences:
            if any_shown:
                yield ""
            any_shown = True
            yield heading
            yield from difference_lines(differences if whole else folded(differences), paint)
            if not whole and len(differences) > SHOWN:
                yield f"  {len(differences):,} in all: `dvtool status -v` shows each"
    if result.beside:
        if any_shown:
            yield ""
        any_shown = True
        yield "DVC's files beside ours say otherwise (which one is right?):"
        yield from (f"  {paint('differs ', 'yellow')}  {show(one.path)}  {one.why}" for one in result.beside)
    if result.stages:
        from dvtool.ui.stagestatus import stage_status_lines

        if any_shown:
            yield ""
        yield from stage_status_lines(result.stages, paint, whole=whole)
        any_shown = True
    if not result.tracked and not result.stage_count and result.stages_error is None:
        yield f"Nothing is tracked yet. Start with: {tool} add PATH"
    elif not any_shown:
        stages = f"{count(result.stage_count, 'stage')}, " if result.stage_count else ""
        yield f"Up to date: {stages}{count(result.tracked, 'tracked path')}, {count(result.files_seen, 'file')}."


def difference_lines(differences: Iterable[Difference], paint: Paint) -> Iterator[str]:
    """One aligned line for each."""
    for change, path, amount, files, why in differences:
        many = f"{count(files, 'file')}, " if files != 1 else ""
        note = f"  ({why})" if why else ""
        yield f"  {paint(f'{change:<8}', _COLOURS[change])}  {show(path)}  {many}{size(amount)}{note}"


def folded(differences: Sequence[Difference]) -> list[Difference]:
    """At most `SHOWN` lines where directories make that possible, the deepest ones that do; never fewer than needed."""
    if len(differences) <= SHOWN:
        return [*differences]
    found: list[Difference] = []
    for depth in range(max(one.path.count(b"/") for one in differences), 0, -1):
        found = _folded_at(differences, depth)
        if len(found) <= SHOWN:
            break
    return found or [*differences]


def _folded_at(differences: Sequence[Difference], depth: int) -> list[Difference]:
    groups: dict[tuple[str, bytes], list[Difference]] = {}
    for one in differences:
        above = split(one.path)[0].split(b"/")[:depth]
        groups.setdefault((one.change, b"/".join(above) + b"/" if above != [b""] else one.path), []).append(one)
    return [some[0] if len(some) == 1 else _as_one(change, path, some) for (change, path), some in groups.items()]


def _as_one(change: str, path: bytes, some: Sequence[Difference]) -> Difference:
    reasons = {one.why for one in some}
    why = reasons.pop() if len(reasons) == 1 else ""
    return Difference(change, path, sum(one.size for one in some), sum(one.files for one in some), why)

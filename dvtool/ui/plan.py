"""A plan in words."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.api.plan import PlannedStage
from dvtool.api.plan import PlanResult
from dvtool.model.paths import show
from dvtool.pipeline.types import Action
from dvtool.ui.counts import count
from dvtool.ui.reasons import reason_details
from dvtool.ui.reasons import reason_json
from dvtool.ui.reasons import weightiest
from dvtool.ui.sizes import duration
from dvtool.ui.sizes import size
from dvtool.ui.tables import width
from dvtool.ui.terminal import Paint
from dvtool.ui.text import safe

_WORDS = {
    Action.RUN: ("runs", "yellow"),
    Action.MAY_RUN: ("may run", "yellow"),
    Action.RESTORE: ("restored", "green"),
    Action.SKIP: ("up to date", "dim"),
    Action.BLOCKED: ("cannot run", "red"),
}


def plan_lines(result: PlanResult, paint: Paint, *, whole: bool = False) -> Iterator[str]:
    """A line for each stage with work, then the totals. *whole*: also for those without, and every reason."""
    shown = [stage for stage in result.stages if whole or stage.action is not Action.SKIP]
    most = max((width(safe(stage.stage)) for stage in shown), default=0)
    for stage in shown:
        word, colour = _WORDS[stage.action]
        name = safe(stage.stage)
        head = f"{name}{' ' * (most - width(name))}  {paint(f'{word:<10}', colour)}"
        if whole:
            yield head.rstrip()
            yield from (f"  {reason_details(reason)}" for reason in stage.reasons)
        else:
            yield f"{head}  {weightiest(stage.reasons)}"
        notes = _notes(stage)
        if notes:
            yield paint(f"  {notes}", "dim")
    if shown:
        yield ""
    yield _total(result)
    if result.saved is not None:
        yield f"saved; to do exactly this: dvtool apply {show(result.saved)}"


def _notes(stage: PlannedStage) -> str:
    notes = []
    if stage.fetch_files:
        notes.append(f"fetches {count(stage.fetch_files, 'file')}, {size(stage.fetch_bytes)}")
    if stage.seconds is not None and stage.action in (Action.RUN, Action.MAY_RUN):
        notes.append(f"took {duration(stage.seconds)} last time")
    return "; ".join(notes)


def _total(result: PlanResult) -> str:
    if not result.stages:
        return "No stages here."
    parts = [
        f"{found:,} {words}"
        for words, found in (
            ("to run", result.count(Action.RUN)),
            ("may run", result.count(Action.MAY_RUN)),
            ("restored", result.count(Action.RESTORE)),
            ("cannot run", result.count(Action.BLOCKED)),
            ("up to date", result.count(Action.SKIP)),
        )
        if found
    ]
    total = f"{count(len(result.stages), 'stage')}: {', '.join(parts)}"
    if result.fetch_bytes:
        total += f"; {size(result.fetch_bytes)} to fetch"
    if result.seconds:
        known = f", {result.untimed:,} of them unknown" if result.untimed else ""
        total += f"; at most {duration(result.seconds)} one after the other, by past runs{known}"
    return total + "."


def plan_json(result: PlanResult) -> dict[str, object]:
    """The same for ``--json``."""
    return {
        "stages": [
            {
                "stage": stage.stage,
                "action": stage.action.value,
                "reasons": [reason_json(reason) for reason in stage.reasons],
                "seconds": stage.seconds,
                "fetch_files": stage.fetch_files,
                "fetch_bytes": stage.fetch_bytes,
            }
            for stage in result.stages
        ],
        "seconds": result.seconds,
        "untimed": result.untimed,
        "fetch_bytes": result.fetch_bytes,
        "saved": result.saved,
    }

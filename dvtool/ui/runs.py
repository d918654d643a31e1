"""Runs that were recorded, in words and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence
from datetime import datetime
from datetime import timezone

from dvtool.formats.runrecord import Cause
from dvtool.formats.runrecord import RunRecord
from dvtool.formats.runrecord import StageRecord
from dvtool.pipeline.runs import Run
from dvtool.pipeline.runs import RunState
from dvtool.pipeline.types import Because
from dvtool.pipeline.types import Reason
from dvtool.ui.reasons import reason_details
from dvtool.ui.reasons import reason_json
from dvtool.ui.repro import ending
from dvtool.ui.sizes import duration
from dvtool.ui.sizes import size
from dvtool.ui.tables import table
from dvtool.ui.terminal import Paint
from dvtool.ui.text import safe

_WIDE = 50
_COLOURS = {
    RunState.RUNNING: "cyan",
    RunState.DONE: "green",
    RunState.FAILED: "red",
    RunState.INTERRUPTED: "yellow",
    RunState.DAMAGED: "red",
}
_STATES = ("ran", "restored", "skipped", "failed", "blocked", "left", "")
_WORDS = {"blocked": "not run", "": "unfinished"}


def run_lines(runs: Sequence[Run]) -> Iterator[str]:
    """One line for each run: number, when, how it ended, what became of its stages, how long, the command."""
    rows = [(str(run.id), *_row(run)) for run in runs]
    yield from table(rows, right=(0,))
    if not rows:
        yield "nothing was run here yet"


def show_lines(run: Run, paint: Paint) -> Iterator[str]:
    """All that is known of a run."""
    record = run.record
    yield f"run {run.id}: {paint(run.state.value, _COLOURS[run.state])}"
    if record is None:
        yield f"  {run.problem}"
        return
    yield f"  {safe(' '.join(record.argv))}"
    took = "" if record.ended is None else f", {duration(max(0.0, record.ended - record.started))}"
    yield f"  {_date(record.started)}{took}"
    if record.commit:
        yield f"  at commit {record.commit[:10]}"
    if record.problem:
        yield f"  {safe(record.problem.partition(chr(10))[0])}"
    skipped = [stage for stage in record.stages.values() if stage.state == "skipped"]
    for stage in record.stages.values():
        if stage.state != "skipped":
            yield from _stage_lines(stage, paint)
    if skipped:
        yield f"{len(skipped):,} skipped: nothing changed"
    if run.state in (RunState.FAILED, RunState.INTERRUPTED):
        yield f"go on with it: dvtool resume {run.id}"


def runs_json(runs: Sequence[Run]) -> dict[str, object]:
    """The runs without their stages."""
    return {"runs": [_head_json(run) for run in runs]}


def run_json(run: Run) -> dict[str, object]:
    """One run with its stages."""
    stages = run.record.stages.values() if run.record is not None else ()
    return {**_head_json(run), "stages": [_stage_json(stage) for stage in stages]}


def _stage_lines(stage: StageRecord, paint: Paint) -> Iterator[str]:
    parts = [_outcome(stage)]
    if stage.seconds:
        parts.append(duration(stage.seconds))
    if stage.peak:
        parts.append(f"{size(stage.peak)} of memory")
    if stage.attempts > 1:
        parts.append(f"{stage.attempts} tries")
    yield f"{paint(safe(stage.stage), 'bold')}: {', '.join(parts)}"
    for cause in stage.causes:
        yield f"  {_words(cause)}"
    if stage.problem:
        yield f"  {safe(stage.problem)}"


def _outcome(stage: StageRecord) -> str:
    if stage.state != "failed":
        return _WORDS.get(stage.state, stage.state)
    return "failed, out of time" if stage.timed_out else f"failed, {ending(stage.code)}" if stage.code else "failed"


def _row(run: Run) -> tuple[str, ...]:
    record = run.record
    if record is None:
        return ("", run.state.value, "", "", "")
    took = "" if record.ended is None else duration(max(0.0, record.ended - record.started))
    words = " ".join(record.argv)
    command = safe(words if len(words) <= _WIDE else words[: _WIDE - 3] + "...")
    return (_date(record.started), run.state.value, _counts(record), took, command)


def _counts(record: RunRecord) -> str:
    found = Counter(stage.state for stage in record.stages.values())
    return ", ".join(f"{found[state]:,} {_WORDS.get(state, state)}" for state in _STATES if found[state])


def _words(cause: Cause) -> str:
    reason = _reason(cause)
    return safe(f"{cause.because} {cause.subject}".rstrip()) if reason is None else reason_details(reason)


def _reason(cause: Cause) -> Reason | None:
    """None for a word of another version."""
    try:
        return Reason(Because(cause.because), cause.subject, cause.before, cause.after)
    except ValueError:
        return None


def _head_json(run: Run) -> dict[str, object]:
    record = run.record
    found: dict[str, object] = {"id": run.id, "state": run.state.value, "problem": run.problem or None}
    if record is not None:
        found |= {
            "command": list(record.argv),
            "request": record.request,
            "commit": record.commit or None,
            "started": record.started,
            "ended": record.ended,
            "exit_code": None if record.ended is None else record.code,
            "problem": record.problem or None,
            "counts": dict(Counter(stage.state or "unfinished" for stage in record.stages.values())),
        }
    return found


def _stage_json(stage: StageRecord) -> dict[str, object]:
    reasons = ((cause, _reason(cause)) for cause in stage.causes)
    return {
        "stage": stage.stage,
        "action": stage.action or None,
        "reasons": [
            {"because": cause.because, "text": _words(cause)} if reason is None else reason_json(reason)
            for cause, reason in reasons
        ],
        "state": stage.state or None,
        "started": stage.started or None,
        "seconds": stage.seconds,
        "peak_memory": stage.peak,
        "exit_code": stage.code,
        "timed_out": stage.timed_out,
        "attempts": stage.attempts,
        "log": stage.log or None,
        "problem": stage.problem or None,
    }


def _date(when: float) -> str:
    return datetime.fromtimestamp(when, tz=timezone.utc).strftime("%Y-%m-%d %H:%MZ")

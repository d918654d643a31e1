"""A run of stages in words, while it goes on and at its end, and as JSON."""

from __future__ import annotations

import signal
from collections.abc import Callable
from collections.abc import Iterator

from dvtool.api.repro import ReproResult
from dvtool.api.repro import log_tail
from dvtool.model.paths import show
from dvtool.pipeline.outcome import Decided
from dvtool.pipeline.outcome import Ended
from dvtool.pipeline.outcome import Event
from dvtool.pipeline.outcome import Outcome
from dvtool.pipeline.outcome import Started
from dvtool.pipeline.outcome import State
from dvtool.pipeline.outcome import Tick
from dvtool.pipeline.outcome import Waiting
from dvtool.pipeline.types import Action
from dvtool.pipeline.types import Decision
from dvtool.ui.counts import count
from dvtool.ui.reasons import reason_words
from dvtool.ui.reasons import weightiest
from dvtool.ui.terminal import Paint
from dvtool.ui.text import safe

_BLOCK = 1 << 16
_WORDS = {
    Action.RUN: ("would run", "green"),
    Action.RESTORE: ("would be restored", "cyan"),
    Action.SKIP: ("would be skipped", "dim"),
    Action.MAY_RUN: ("may run", "yellow"),
    Action.BLOCKED: ("cannot run", "red"),
}


class Narrator:
    """Tells of a run. *line* takes a line of text, *raw* what stages print.

    *streams*: what a stage prints is passed on while it runs, so that only one may; else as one block at its end.
    """

    def __init__(
        self, line: Callable[[str], None], raw: Callable[[bytes], None], paint: Paint, *, streams: bool
    ) -> None:
        self._line = line
        self._raw = raw
        self._paint = paint
        self._streams = streams
        self._told: dict[str, int] = {}
        self._logs: dict[str, bytes] = {}
        self._why: dict[str, Decision] = {}

    def __call__(self, event: Event) -> None:
        """Hear of one event."""
        if isinstance(event, Decided):
            self._why[event.decision.stage] = event.decision
        elif isinstance(event, Started):
            self._started(event)
        elif isinstance(event, Waiting):
            self._pass_on(event.address)
            self._line(f"{safe(event.address)}: {ending(event.code)}; tried again in {event.seconds:g} s")
        elif isinstance(event, Tick):
            if self._streams:
                for address in event.running:
                    self._pass_on(address)
        elif isinstance(event, Ended):
            self._ended(event.outcome)

    def _started(self, event: Started) -> None:
        address = event.stage.address
        self._logs[address] = event.log
        if event.attempt > 1:
            return
        decision = self._why.pop(address, None)
        why = weightiest(decision.reasons) if decision is not None else ""
        self._line(f"{self._paint(safe(address), 'bold')}: running, {why}")

    def _ended(self, outcome: Outcome) -> None:
        name = safe(outcome.address)
        if outcome.log:
            self._pass_on(outcome.address)
            self._logs.pop(outcome.address, None)
            self._told.pop(outcome.address, None)
        why = weightiest(outcome.decision.reasons) if outcome.decision is not None else ""
        if outcome.state is State.RAN:
            self._line(f"{name}: {self._paint('done', 'green')} in {duration(outcome.seconds)}")
        elif outcome.state is State.RESTORED:
            self._line(f"{name}: {self._paint('restored', 'cyan')}, {why}")
        elif outcome.state is State.SKIPPED:
            self._line(f"{name}: skipped, {why}")
        elif outcome.state is State.FAILED:
            self._line(f"{name}: {self._paint('failed', 'red')}, {failure(outcome)}")
        elif outcome.state is State.BLOCKED:
            self._line(f"{name}: {self._paint('not run', 'yellow')}, {why}")
        else:
            self._line(f"{name}: left as it is")

    def _pass_on(self, address: str) -> None:
        """What the stage has printed since the last time."""
        log = self._logs.get(address)
        if not log:
            return
        at = self._told.get(address, 0)
        last = b"\n"
        with open(log, "rb") as file:
            file.seek(at)
            while data := file.read(_BLOCK):
                at += len(data)
                self._raw(data)
                last = data[-1:]
        self._told[address] = at
        if last != b"\n" and not self._streams:
            self._raw(b"\n")


def dry_lines(decisions: tuple[Decision, ...], paint: Paint) -> Iterator[str]:
    """One line a stage: what would be done, and every reason."""
    for decision in decisions:
        words, colour = _WORDS[decision.action]
        reasons = "; ".join(reason_words(reason) for reason in decision.reasons)
        yield f"{safe(decision.stage)}: {paint(words, colour)}, {reasons}"


def result_lines(result: ReproResult) -> Iterator[str]:
    """How many stages came to what, then what to tell Git."""
    run = result.run
    words = (
        (State.RAN, "ran"),
        (State.RESTORED, "restored"),
        (State.SKIPPED, "skipped"),
        (State.FAILED, "failed"),
        (State.BLOCKED, "not run because of that"),
        (State.LEFT, "left"),
    )
    parts = [f"{amount:,} {word}" for state, word in words if (amount := run.count(state))]
    yield f"{count(len(run.outcomes), 'stage')}: {', '.join(parts)}"
    if result.git_files:
        yield "next: git add " + " ".join(show(path) for path in result.git_files)


def repro_json(result: ReproResult) -> dict[str, object]:
    """The same for programs."""
    return {
        "stages": [_outcome_json(outcome) for outcome in result.run.outcomes],
        "plan": [_decision_json(decision) for decision in result.decisions],
        "git_files": [{"path": path} for path in result.git_files],
        "visible_to_git": [{"path": path} for path in result.visible],
    }


def failure(outcome: Outcome) -> str:
    """Why a stage failed, in a few words."""
    if outcome.error is not None:
        return safe(outcome.error.message)
    return "out of time" if outcome.timed_out else ending(outcome.code)


def ending(code: int) -> str:
    """How a command ended."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"ended by signal {-code}"


def duration(seconds: float) -> str:
    """A time for people."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _outcome_json(outcome: Outcome) -> dict[str, object]:
    return {
        "stage": outcome.address,
        "state": outcome.state.value,
        "reasons": _reasons(outcome.decision),
        "exit_code": outcome.code,
        "timed_out": outcome.timed_out,
        "seconds": round(outcome.seconds, 3),
        "peak_memory": outcome.peak,
        "attempts": outcome.attempts,
        "log": outcome.log or None,
        "log_tail": log_tail(outcome.log) if outcome.state is State.FAILED and outcome.log else None,
        "left_in": outcome.left_in or None,
        "error": None if outcome.error is None else safe(outcome.error.message),
    }


def _decision_json(decision: Decision) -> dict[str, object]:
    return {"stage": decision.stage, "action": decision.action.value, "reasons": _reasons(decision)}


def _reasons(decision: Decision | None) -> list[dict[str, object]]:
    if decision is None:
        return []
    return [
        {
            "because": reason.because.value,
            "subject": reason.subject,
            "before": reason.before,
            "after": reason.after,
        }
        for reason in decision.reasons
    ]

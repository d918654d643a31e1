"""Going on with a run that failed or was interrupted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields
from dataclasses import replace
from typing import Any

from dvtool.api.repro import ReproRequest
from dvtool.api.repro import ReproResult
from dvtool.api.repro import raise_for
from dvtool.api.repro import repro
from dvtool.errors import FormatError
from dvtool.errors import Locked
from dvtool.errors import UsageError
from dvtool.formats.runrecord import RunRecord
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.pipeline.outcome import Tell
from dvtool.pipeline.runs import Run
from dvtool.pipeline.runs import Runs
from dvtool.pipeline.runs import RunState
from dvtool.project.open import Project

__all__ = ["ResumeRequest", "ResumeResult", "raise_for", "resume", "run_to_resume"]

_FINISHED = frozenset({"ran", "restored", "skipped"})


@dataclass(frozen=True, slots=True)
class ResumeRequest:
    """``run``: its number; None for the newest. ``start``: address of a stage that runs again in any case, with all
    that needs it. ``jobs``: None for as many as that run had. The rest as in `ReproRequest`."""

    run: int | None = None
    start: str | None = None
    jobs: int | None = None
    now: float = 0.0
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class ResumeResult:
    """``run``: the number of the one that was gone on with."""

    run: int
    repro: ReproResult


def resume(
    project: Project, request: ResumeRequest, tell: Tell = lambda _: None, reporter: Reporter = SILENT
) -> ResumeResult:
    """Ask for the same again: what has ended well is not run, for nothing changed. Whatever did change counts.

    Raises `UsageError` for a run that is not there or ended well, `Locked` for one that goes on, and as `repro`.
    """
    run = run_to_resume(project, request)
    assert run.record is not None
    directory, wanted = _request(run.id, run.record, request)
    # Targets are meant from where the run was started.
    environment = replace(project.environment, cwd=os.path.join(project.root, directory).rstrip(b"/"))
    return ResumeResult(run.id, repro(replace(project, environment=environment), wanted, tell, reporter))


def run_to_resume(project: Project, request: ResumeRequest) -> Run:
    """The run that is meant. Raises as `resume`."""
    runs = Runs(project.layout.state_dir)
    numbers = runs.ids()
    if not numbers:
        raise UsageError("nothing was run here yet", hint="dvtool repro")
    run = _newest(runs, numbers) if request.run is None else runs.read(request.run)
    if run.state is RunState.RUNNING:
        raise Locked(f"run {run.id} still goes on", hint="wait until it ends, or stop it")
    if run.record is None:
        raise UsageError(f"the record of run {run.id} is damaged", hint="dvtool repro")
    if run.state is RunState.DONE and request.start is None:
        raise UsageError(
            f"run {run.id} ended well: there is nothing to go on with",
            hint="`dvtool runs list` shows others; `dvtool resume --from STAGE` runs from a stage on",
        )
    if request.start is not None and request.start not in run.record.stages:
        known = ", ".join(list(run.record.stages)[:5])
        raise UsageError(f"run {run.id} had no stage {request.start}", hint=f"it had {known}" if known else None)
    return run


def _newest(runs: Runs, numbers: list[int]) -> Run:
    """A run without a record was killed before it had one: it did nothing, and the one before it is meant."""
    newest = runs.read(numbers[-1])
    found = (run for number in reversed(numbers) if (run := runs.read(number)).state is not RunState.DAMAGED)
    return next(found, newest)


def _request(number: int, record: RunRecord, request: ResumeRequest) -> tuple[bytes, ReproRequest]:
    """Where that run was started, and what is to be asked for now."""
    asked: dict[str, Any] = dict(record.request)
    directory = asked.pop("directory", "")
    # What was to run in any case and did not come to its end still is.
    finished = {name for name, stage in record.stages.items() if stage.state in _FINISHED}
    anew = set(_texts(asked.get("anew"))) - finished
    asked["anew"] = tuple(sorted(anew | ({request.start} if request.start is not None else set())))
    asked["spared"] = tuple(sorted(finished.union(_texts(asked.get("spared")))))
    asked["targets"] = _texts(asked.get("targets"))
    if request.jobs is not None:
        asked["jobs"] = request.jobs
    try:
        return os.fsencode(str(directory)), _made(asked, request)
    except TypeError:
        raise FormatError(
            f"run {number} was recorded by another version of dvtool", hint="start it anew: dvtool repro"
        ) from None


def _made(asked: Mapping[str, Any], request: ResumeRequest) -> ReproRequest:
    """Raises ``TypeError`` for fields that there are not, or of another kind."""
    plain = ReproRequest()
    kinds = {each.name: type(getattr(plain, each.name)) for each in fields(ReproRequest)}
    if any(type(value) is not kinds.get(name) for name, value in asked.items()):
        raise TypeError
    return replace(plain, **asked, now=request.now, clock=request.clock)


def _texts(found: Any) -> tuple[str, ...]:
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()

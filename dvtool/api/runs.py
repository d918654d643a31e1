"""What runs of stages did here."""

from __future__ import annotations

import os

from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.runrecord import RunRecord
from dvtool.formats.runrecord import StageRecord
from dvtool.pipeline.runs import Run
from dvtool.pipeline.runs import Runs
from dvtool.project.open import Project

__all__ = ["Run", "run_log", "runs_list", "runs_show"]


def runs_list(project: Project, limit: int = 0) -> tuple[Run, ...]:
    """The runs of this workspace, the newest first; 0 is all that are kept. Raises `StorageError`, `FormatError`."""
    runs = Runs(project.layout.state_dir)
    numbers = runs.ids()[::-1]
    return tuple(runs.read(number) for number in (numbers[:limit] if limit else numbers))


def runs_show(project: Project, number: int | None = None) -> Run:
    """One run; the newest without a number. Raises `UsageError` where there is none."""
    runs = Runs(project.layout.state_dir)
    if number is None:
        number = max(runs.ids(), default=None)
        if number is None:
            raise UsageError("nothing was run here yet", hint="dvtool repro")
    return runs.read(number)


def run_log(run: Run, stage: str) -> bytes:
    """What a stage printed in a run. Raises `UsageError` where it was not run, or its log is not kept."""
    found = _stage(run, stage)
    if not found.log or os.path.basename(found.log) != found.log:
        raise UsageError(f"stage {stage} was not started in run {run.id}", hint=f"dvtool runs show {run.id}")
    path = os.path.join(run.folder, os.fsencode(found.log))
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise UsageError(f"the log of stage {stage} in run {run.id} is no longer kept") from None
    except OSError as error:
        raise storage_error(error, "read", path) from error


def _stage(run: Run, stage: str) -> StageRecord:
    record: RunRecord | None = run.record
    if record is None:
        raise UsageError(f"the record of run {run.id} is damaged", hint=run.problem)
    if stage not in record.stages:
        hint = f"it had {', '.join(list(record.stages)[:5])}" if record.stages else None
        raise UsageError(f"there is no stage {stage} in run {run.id}", hint=hint)
    return record.stages[stage]

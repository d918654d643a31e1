"""Running exactly what a saved plan says."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import fields
from dataclasses import replace

from dvtool.api.plan import PlanRequest
from dvtool.api.plan import check_plan
from dvtool.api.plan import read_plan
from dvtool.api.plan import request_of
from dvtool.api.repro import ReproRequest
from dvtool.api.repro import ReproResult
from dvtool.api.repro import raise_for
from dvtool.api.repro import repro
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.pipeline.outcome import Tell
from dvtool.project.open import Project

__all__ = ["ApplyRequest", "ReproResult", "apply", "raise_for"]


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """``plan``: a file that `plan` saved. The rest as in `ReproRequest`."""

    plan: bytes
    jobs: int = 1
    keep_going: bool = False
    now: float = 0.0
    clock: Callable[[], float] = time.monotonic


def apply(
    project: Project, request: ApplyRequest, tell: Tell = lambda _: None, reporter: Reporter = SILENT
) -> ReproResult:
    """Run a saved plan, unless anything that it was made from has changed since: definitions, locks, inputs, outputs.

    Raises `UsageError` in that case, `FormatError` for what is no plan, and what `repro` raises.
    """
    where = show(request.plan)
    saved = read_plan(project, request.plan)
    asked, directory = request_of(saved, where)
    # Targets are meant from where the plan was made.
    environment = replace(project.environment, cwd=os.path.join(project.root, directory).rstrip(b"/"))
    project = replace(project, environment=environment)
    same = {field.name: getattr(asked, field.name) for field in fields(PlanRequest)}
    wanted = ReproRequest(
        **same, jobs=request.jobs, keep_going=request.keep_going, now=request.now, clock=request.clock
    )
    return repro(
        project,
        wanted,
        tell,
        reporter,
        check=lambda pipeline: check_plan(pipeline, saved, asked, reporter),
    )

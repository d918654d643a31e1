"""What a change brings, in one piece: data, parameters, metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dvtool.api.diff import DiffRequest
from dvtool.api.diff import DiffResult
from dvtool.api.diff import diff
from dvtool.api.diff import raise_for as raise_for_diff
from dvtool.api.fetch import fetch_wanted
from dvtool.api.metrics import MetricsDiffRequest
from dvtool.api.metrics import ValuesDiffResult
from dvtool.api.metrics import metrics_diff
from dvtool.api.params import ParamsDiffRequest
from dvtool.api.params import params_diff
from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.open import Project
from dvtool.project.routes import Routes
from dvtool.project.transfers import wanted_now
from dvtool.project.valuesat import WORKTREE
from dvtool.project.valuesat import Side
from dvtool.project.valuesat import metric_files
from dvtool.project.valuesat import params_of
from dvtool.project.valuesat import sides_to_compare
from dvtool.project.versions import Versions
from dvtool.workspace.selection import Selected

__all__ = ["ReportRequest", "ReportResult", "raise_for", "report"]


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """From revision ``old`` to revision ``new``; None is the worktree. ``targets``: of the data, as in `DiffRequest`.

    ``fetch``: bring files of metrics and parameters that are tracked and not here.
    """

    old: str = "HEAD"
    new: str | None = None
    targets: tuple[bytes, ...] = ()
    fetch: bool = True


@dataclass(frozen=True, slots=True)
class ReportResult:
    """Each part as its own verb has it."""

    old: str
    new: str | None
    data: DiffResult
    params: ValuesDiffResult
    metrics: ValuesDiffResult

    @property
    def is_empty(self) -> bool:
        return self.data.is_empty and not (self.data.unread or self.params.rows or self.metrics.rows)


def report(project: Project, request: ReportRequest, reporter: Reporter = SILENT) -> ReportResult:
    """Compare. Of data only listings are read. Raises as `diff`, `metrics_diff` and `params_diff`.

    What could not be read is in the parts; `raise_for` turns it into the error to end with.
    """
    revs = (request.old, request.new or WORKTREE)
    sides = sides_to_compare(project, revs)
    if request.fetch:
        _fetch_values(project, sides, reporter)
    return ReportResult(
        request.old,
        request.new,
        diff(project, DiffRequest(request.old, request.new, request.targets), reporter),
        params_diff(project, ParamsDiffRequest(revs)),
        metrics_diff(project, MetricsDiffRequest(revs)),
    )


def raise_for(result: ReportResult) -> None:
    """Raise the error that a report ends with, if something of it could not be read."""
    raise_for_diff(result.data)
    for part in (result.params, result.metrics):
        errors = [each.error for each in part.problems if each.error is not None]
        if errors:
            raise errors[0]


def _fetch_values(project: Project, sides: Sequence[Side], reporter: Reporter) -> None:
    """Small files alone: a job has a clone and no data. Without them the report is poorer, and says so."""
    versions = Versions(project)
    selected: list[Selected] = []
    for side in sides:
        version = versions.at(side.commit)
        try:
            definitions = version.definitions
            files = {*metric_files(definitions), *params_of(definitions, deps_only=False)}
            selected += version.to_fetch(sorted(files))
        except StorageError:
            raise
        except DvtoolError:
            # Told of by the part that needs it.
            continue
    if not selected:
        return
    try:
        fetch_wanted(project, wanted_now(Routes(project.config), selected), reporter)
    except (StorageError, ConfigError, UnsafeInput) as error:
        reporter.note(f"metrics were not fetched: {error.message}")

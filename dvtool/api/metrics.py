"""Metrics of one version or several, and what differs."""

from __future__ import annotations

from dataclasses import dataclass

from dvtool.errors import DvtoolError
from dvtool.pipeline.values import Row
from dvtool.pipeline.values import compare
from dvtool.project.open import Project
from dvtool.project.parts import relative_paths
from dvtool.project.transfers import NO_REVISIONS
from dvtool.project.transfers import Revisions
from dvtool.project.valuesat import Problem
from dvtool.project.valuesat import Side
from dvtool.project.valuesat import SideValues
from dvtool.project.valuesat import metrics
from dvtool.project.valuesat import sides_to_compare
from dvtool.project.valuesat import sides_to_show

__all__ = [
    "MetricsDiffRequest",
    "MetricsShowRequest",
    "MetricsShowResult",
    "ValuesDiffResult",
    "metrics_diff",
    "metrics_show",
    "raise_for",
]


@dataclass(frozen=True, slots=True)
class MetricsShowRequest:
    """``targets``: files, or directories with metrics in them; none means all that definitions name. ``revs``, and
    those of ``revisions``, are shown; without any it is the worktree."""

    targets: tuple[bytes, ...] = ()
    revs: tuple[str, ...] = ()
    revisions: Revisions = NO_REVISIONS


@dataclass(frozen=True, slots=True)
class MetricsShowResult:
    """``problems``: what could not be read, or is not there. ``asked``: the sides that were named one by one."""

    sides: tuple[SideValues, ...]
    problems: tuple[Problem, ...]
    asked: frozenset[str]


@dataclass(frozen=True, slots=True)
class MetricsDiffRequest:
    """``revs``: as many as wanted; one is compared with the worktree, and without any it is HEAD. ``everything``: also
    what is the same on all sides."""

    revs: tuple[str, ...] = ()
    targets: tuple[bytes, ...] = ()
    everything: bool = False


@dataclass(frozen=True, slots=True)
class ValuesDiffResult:
    """``problems``: what could not be read, or is not there."""

    sides: tuple[Side, ...]
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]

    @property
    def asked(self) -> frozenset[str]:
        return frozenset(side.name for side in self.sides)


def metrics_show(project: Project, request: MetricsShowRequest) -> MetricsShowResult:
    """The values of each version. Raises `UsageError`, `StorageError`; `raise_for` tells of what could not be read."""
    sides = sides_to_show(project, request.revs, request.revisions)
    found = metrics(project, sides, relative_paths(project, request.targets))
    asked = frozenset(request.revs) if request.revs else frozenset({sides[0].name})
    return MetricsShowResult(found.sides, found.problems, asked)


def metrics_diff(project: Project, request: MetricsDiffRequest) -> ValuesDiffResult:
    """The versions side by side. Raises as `metrics_show`."""
    sides = sides_to_compare(project, request.revs)
    found = metrics(project, sides, relative_paths(project, request.targets))
    rows = compare([one.values for one in found.sides], everything=request.everything)
    return ValuesDiffResult(tuple(sides), tuple(rows), found.problems)


def raise_for(result: MetricsShowResult | ValuesDiffResult) -> None:
    """Raise the error that it ends with, if something that was asked for by name could not be read."""
    errors = [each.error for each in result.problems if each.error is not None and each.side in result.asked]
    if len(errors) > 1:
        raise DvtoolError(f"{len(errors)} files could not be read", hint=errors[0].hint, causes=tuple(errors))
    if errors:
        raise errors[0]

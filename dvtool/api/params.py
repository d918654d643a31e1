"""How parameters differ between versions."""

from __future__ import annotations

from dataclasses import dataclass

from dvtool.api.metrics import ValuesDiffResult
from dvtool.api.metrics import raise_for
from dvtool.pipeline.values import compare
from dvtool.project.open import Project
from dvtool.project.parts import relative_paths
from dvtool.project.valuesat import parameters
from dvtool.project.valuesat import sides_to_compare

__all__ = ["ParamsDiffRequest", "params_diff", "raise_for"]


@dataclass(frozen=True, slots=True)
class ParamsDiffRequest:
    """As `MetricsDiffRequest`. ``targets``: files of parameters. ``deps_only``: those that stages depend on."""

    revs: tuple[str, ...] = ()
    targets: tuple[bytes, ...] = ()
    everything: bool = False
    deps_only: bool = False


def params_diff(project: Project, request: ParamsDiffRequest) -> ValuesDiffResult:
    """The versions side by side. Raises `UsageError`, `StorageError`."""
    sides = sides_to_compare(project, request.revs)
    targets = relative_paths(project, request.targets)
    found = parameters(project, sides, targets, deps_only=request.deps_only)
    rows = compare([one.values for one in found.sides], everything=request.everything)
    return ValuesDiffResult(tuple(sides), tuple(rows), found.problems)

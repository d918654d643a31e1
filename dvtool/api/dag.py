"""The graph of the pipelines, as it is shown."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dvtool.errors import UsageError
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.pipeline.dagview import View
from dvtool.pipeline.dagview import chosen
from dvtool.pipeline.dagview import folded
from dvtool.pipeline.dagview import output_view
from dvtool.pipeline.dagview import stage_view
from dvtool.pipeline.dagview import targets_in
from dvtool.pipeline.targets import TargetRequest
from dvtool.pipeline.targets import named_stages
from dvtool.project.open import Project
from dvtool.project.oplog import require_own
from dvtool.project.parts import relative_path
from dvtool.project.pipelines import Pipeline
from dvtool.project.pipelines import open_pipeline

__all__ = ["DagRequest", "View", "dag"]


@dataclass(frozen=True, slots=True)
class DagRequest:
    """``targets``: stages, definitions, outputs or tracked paths, with all that they need; none given means all.

    ``full``: also what hangs together with them otherwise. ``outs``: the files instead of the stages. ``fold``: the
    stages that one ``foreach`` or ``matrix`` made are one.
    """

    targets: tuple[str, ...] = ()
    outs: bool = False
    full: bool = False
    fold: bool = False


def dag(project: Project, request: DagRequest, reporter: Reporter = SILENT) -> View:
    """The graph. Looks at no data and starts nothing. Raises `ConfigError`, `UsageError`, `UnsafeInput`."""
    require_own(project.layout, "dag")
    if request.outs and request.fold:
        raise UsageError("files are not folded", hint="leave out --outs or --collapse-foreach-matrix")
    with open_pipeline(project, reporter=reporter) as pipeline:
        view = (output_view if request.outs else stage_view)(pipeline.graph, pipeline.tracked)
        if request.targets:
            named = [name for target in request.targets for name in _nodes(pipeline, view, request, target)]
            view = chosen(view, named, full=request.full)
        return folded(view, pipeline.graph) if request.fold else view


def _nodes(pipeline: Pipeline, view: View, request: DagRequest, target: str) -> list[str]:
    """What of *view* a target means."""
    path = relative_path(pipeline.project, os.fsencode(target))
    by_pointer = {pointer: data for data, pointer in pipeline.tracked.items()}
    data = by_pointer.get(path, path)
    if data in pipeline.tracked:
        return [show(data if request.outs else pipeline.tracked[data])]
    stages = named_stages(pipeline.graph, TargetRequest((target,), directory=pipeline.directory))
    return targets_in(view, pipeline.graph, stages, path if request.outs else None)

"""Which stages there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dvtool.formats.lock import Json
from dvtool.pipeline.targets import TargetRequest
from dvtool.pipeline.targets import named_stages
from dvtool.pipeline.types import Dep
from dvtool.pipeline.types import Stage
from dvtool.project.open import Project
from dvtool.project.oplog import require_own
from dvtool.project.pipelines import open_pipeline

__all__ = ["StageListRequest", "StageListResult", "StageView", "stage_list"]


@dataclass(frozen=True, slots=True)
class StageListRequest:
    """``targets``: stages, definitions, outputs; with ``recursive`` directories. None given: those of the definition in
    the current directory. ``everything``: all of the project."""

    targets: tuple[str, ...] = ()
    everything: bool = False
    recursive: bool = False


@dataclass(frozen=True, slots=True)
class OutView:
    """An output, and how it is kept."""

    path: bytes
    kind: str
    cache: bool
    persist: bool
    push: bool
    remote: str | None


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage as a run would take it, with its place in the definition. ``deps``: their names, as in locks."""

    address: str
    name: str
    file: bytes
    line: int
    cmd: tuple[str, ...]
    argv: tuple[str, ...]
    wdir: bytes
    deps: tuple[str, ...]
    params: tuple[Mapping[str, object], ...]
    outs: tuple[OutView, ...]
    frozen: bool
    always_changed: bool
    group: str
    desc: str
    meta: Json


@dataclass(frozen=True, slots=True)
class StageListResult:
    """``elsewhere``: stages of the project that were not asked for."""

    stages: tuple[StageView, ...]
    elsewhere: int


def stage_list(project: Project, request: StageListRequest) -> StageListResult:
    """The stages in the order of their definitions. Raises `ConfigError`, `UsageError`, `UnsafeInput`."""
    require_own(project.layout, "stage list")
    with open_pipeline(project) as pipeline:
        graph = pipeline.graph
        wanted = TargetRequest(
            request.targets,
            everything=request.everything,
            recursive=request.recursive,
            directory=pipeline.directory,
        )
        chosen = set(named_stages(graph, wanted))
        stages = tuple(_view(stage) for address, stage in graph.stages.items() if address in chosen)
        return StageListResult(stages, len(graph.stages) - len(stages))


def _view(stage: Stage) -> StageView:
    return StageView(
        stage.address,
        stage.name,
        stage.file,
        stage.at.line,
        stage.commands,
        stage.argv,
        stage.wdir,
        tuple(map(_name, stage.deps)),
        tuple({"file": each.file, "keys": each.keys} for each in stage.params),
        tuple(OutView(out.path, out.kind.value, out.cache, out.persist, out.push, out.remote) for out in stage.outs),
        stage.frozen,
        stage.always_changed,
        stage.group,
        stage.desc,
        stage.meta,
    )


def _name(dep: Dep) -> str:
    return dep.name

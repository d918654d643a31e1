"""The stages behind `status`: its modules are loaded where there is a definition."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Sequence

from dvtool.api.status import StagesSeen
from dvtool.api.status import StageStatus
from dvtool.errors import UsageError
from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.pipeline.graph import Graph
from dvtool.pipeline.outlook import outlook
from dvtool.pipeline.targets import TargetRequest
from dvtool.pipeline.targets import named_stages
from dvtool.pipeline.types import Action
from dvtool.pipeline.types import Because
from dvtool.pipeline.types import Decision
from dvtool.project.open import Project
from dvtool.project.parts import relative_path
from dvtool.project.pipelines import open_pipeline
from dvtool.workspace.pointers import OwnFiles

_NOT_OWN = frozenset({Because.UPSTREAM_RUNS, Because.UNCHANGED, Because.FROZEN})
_DATA = frozenset({Because.OUT_CHANGED, Because.OUT_MISSING})
"""Of outputs in the cache `status` tells by path, as of all tracked data."""


def look_at_stages(
    project: Project, files: OwnFiles, targets: Sequence[bytes], known: Collection[bytes], reporter: Reporter
) -> StagesSeen:
    """Decide about each stage, starting nothing. *known*: those of *targets* that mean tracked paths.

    Raises `UsageError` for a target that means neither, `ConfigError`, `FormatError`, `UnsafeInput`, `StorageError`.
    """
    # Data that is recorded and not here is told of as such, once: no stage is out of date for that.
    with open_pipeline(project, files=files, reporter=reporter, pull=True) as pipeline:
        graph = pipeline.graph
        chosen: set[str] = set(graph.stages) if not targets else set()
        named = set()
        for target in targets:
            path = relative_path(project, target)
            found = _at(graph, path)
            text = target.decode("utf-8", "surrogateescape")
            try:
                found += named_stages(graph, TargetRequest((text,), directory=pipeline.directory))
            except UsageError:
                if not found and target not in known:
                    raise
            if target not in known:
                named.add(target)
            chosen.update(found)
        # What is asked for is told as it is; what comes before it only decides whether it waits.
        order = graph.upstream(chosen)
        foreseen = outlook(
            graph, order, pipeline.locks.of, pipeline.observer.observe, pipeline.in_reach, learn=pipeline.observer.learn
        )
        stages = []
        unsure: set[str] = set()
        for address, each in foreseen.items():
            if _is_unsure(each.decision, unsure):
                unsure.add(address)
                if all(reason.because is Because.UPSTREAM_RUNS for reason in each.decision.reasons):
                    # Behind one that only a run can look at: nothing says that there is anything to do.
                    continue
            if address not in chosen:
                continue
            stage, action = graph.stages[address], each.decision.action
            cached = {show(out.path) for out in stage.outs if out.cache}
            own = tuple(
                reason
                for reason in each.decision.reasons
                if reason.because not in _NOT_OWN and not (reason.because in _DATA and reason.subject in cached)
            )
            if stage.frozen or own or action not in (Action.SKIP, Action.RESTORE):
                stages.append(StageStatus(address, action, stage.frozen, own, address in unsure))
        return StagesSeen(len(chosen), tuple(stages), frozenset(named))


def _is_unsure(decision: Decision, unsure: Collection[str]) -> bool:
    """Whether it may run only for what nobody but a run may look at, here or before it."""
    return decision.action is Action.MAY_RUN and all(
        reason.because is Because.DEP_UNCHECKED
        or (reason.because is Because.UPSTREAM_RUNS and reason.subject in unsure)
        for reason in decision.reasons
    )


def _at(graph: Graph, path: bytes) -> list[str]:
    """The stages whose outputs or definitions lie at or below *path*, or that write what it lies in."""
    return [
        address
        for address, stage in graph.stages.items()
        if is_below(stage.file, path) or any(is_below(out.path, path) or is_below(path, out.path) for out in stage.outs)
    ]

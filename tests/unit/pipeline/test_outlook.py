"""What would be done with all stages together."""

from __future__ import annotations

from collections.abc import Mapping

from dvtool.formats.lock import LockedStage
from dvtool.pipeline.graph import build
from dvtool.pipeline.outlook import outlook
from dvtool.pipeline.types import Action
from dvtool.pipeline.types import Because
from dvtool.pipeline.types import Decision
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import Reason
from dvtool.pipeline.types import Stage
from tests.unit.pipeline.made import definition
from tests.unit.pipeline.made import locked
from tests.unit.pipeline.made import seen
from tests.unit.pipeline.made import stage

PREPARE = stage("prepare", deps="raw", outs="clean")
TRAIN = stage("train", deps="clean", outs="model")
OTHER = stage("other", deps="raw2", outs="o")
STAGES = (PREPARE, TRAIN, OTHER)


def _decided(now: Mapping[str, int], *, in_cache: bool = False) -> Mapping[str, Decision]:
    """Everything was recorded as 1; *now*: what is something else."""

    def record(of: Stage) -> LockedStage:
        return locked(of, {dep.name: 1 for dep in of.deps}, {out.path.decode(): 1 for out in of.outs})

    def observe(of: Stage) -> Observation:
        deps = {dep.name: now.get(dep.name, 1) for dep in of.deps}
        return seen(deps, {out.path.decode(): now.get(out.path.decode(), 1) for out in of.outs})

    graph = build([definition(*STAGES)], {})
    return outlook(graph, graph.stages, record, observe, lambda _: in_cache)


def test_nothing_changed() -> None:
    assert {each.action for each in _decided({}).values()} == {Action.SKIP}


def test_what_needs_a_stage_that_runs_runs_too_and_nothing_else() -> None:
    decided = _decided({"raw": 2})
    assert {name: each.action for name, each in decided.items()} == {
        "prepare": Action.RUN,
        "train": Action.MAY_RUN,
        "other": Action.SKIP,
    }
    assert decided["train"].reasons == (Reason(Because.UPSTREAM_RUNS, "prepare"),)


def test_a_changed_output_is_restored_where_the_cache_has_it() -> None:
    assert _decided({"o": 2}, in_cache=True)["other"].action is Action.RESTORE
    assert _decided({"o": 2})["other"].action is Action.RUN

"""What would be done with all stages together."""

from __future__ import annotations

from collections.abc import Mapping

from dvtool.formats.lock import Content
from dvtool.formats.lock import LockedStage
from dvtool.pipeline.graph import build
from dvtool.pipeline.outlook import Foreseen
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
    found = outlook(graph, graph.stages, record, observe, lambda _: in_cache)
    return {address: each.decision for address, each in found.items()}


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


def _foreseen(*stages: Stage, now: Mapping[str, int], earlier: Mapping[str, Mapping[str, int]]) -> dict[str, Foreseen]:
    """Everything was recorded as 1. *earlier*: what the run cache would restore of a stage."""
    standing = dict(now)

    def record(of: Stage) -> LockedStage:
        return locked(of, {dep.name: 1 for dep in of.deps}, {out.path.decode(): 1 for out in of.outs})

    def observe(of: Stage) -> Observation:
        deps = {dep.name: standing.get(dep.name, 1) for dep in of.deps}
        return seen(deps, {out.path.decode(): standing.get(out.path.decode(), 1) for out in of.outs})

    def find(of: Stage, _: Observation) -> LockedStage | None:
        return locked(of, outs=earlier[of.name]) if of.name in earlier else None

    def learn(contents: Mapping[bytes, Content]) -> None:
        standing.update({path.decode(): each.size for path, each in contents.items()})

    graph = build([definition(*stages)], {})
    return outlook(graph, graph.stages, record, observe, lambda _: True, earlier=find, learn=learn)


def test_behind_a_restored_stage_it_is_known_what_will_stand_there() -> None:
    found = _foreseen(PREPARE, TRAIN, now={"raw": 2}, earlier={"prepare": {"clean": 1}})
    assert [each.decision.action for each in found.values()] == [Action.RESTORE, Action.SKIP]
    found = _foreseen(PREPARE, TRAIN, now={"raw": 2}, earlier={"prepare": {"clean": 5}})
    assert [each.decision.action for each in found.values()] == [Action.RESTORE, Action.RUN]
    assert found["train"].decision.reasons[0].because is Because.DEP_CHANGED
    found = _foreseen(PREPARE, TRAIN, now={"raw": 2}, earlier={"prepare": {"clean": 5}, "train": {"model": 6}})
    assert [each.decision.action for each in found.values()] == [Action.RESTORE, Action.RESTORE]
    assert [each.source and each.source.outs for each in found.values()] == [
        locked(PREPARE, outs={"clean": 5}).outs,
        locked(TRAIN, outs={"model": 6}).outs,
    ]


def test_behind_a_restored_stage_of_which_a_part_is_read_it_may_run() -> None:
    part = stage("part", deps="clean/a.csv", outs="p")
    wide = stage("wide", globs="clean/*.csv", outs="w")
    found = _foreseen(PREPARE, part, wide, now={"raw": 2}, earlier={"prepare": {"clean": 1}})
    assert [each.decision.action for each in found.values()] == [Action.RESTORE, Action.MAY_RUN, Action.MAY_RUN]


def test_what_is_forced_runs_and_what_comes_after_it_on_demand() -> None:
    graph = build([definition(*STAGES)], {})

    def record(of: Stage) -> LockedStage:
        return locked(of, {dep.name: 1 for dep in of.deps}, {out.path.decode(): 1 for out in of.outs})

    def observe(of: Stage) -> Observation:
        return seen({dep.name: 1 for dep in of.deps}, {out.path.decode(): 1 for out in of.outs})

    for downstream, behind in ((False, Action.MAY_RUN), (True, Action.RUN)):
        found = outlook(
            *(graph, graph.stages, record, observe, lambda _: True), force={"prepare"}, force_downstream=downstream
        )
        assert [each.decision.action for each in found.values()] == [Action.RUN, behind, Action.SKIP]


def test_what_a_stage_before_is_to_make_says_nothing_yet() -> None:
    decided = _decided({"raw": 2, "clean": 7})
    assert decided["train"] == Decision("train", Action.MAY_RUN, (Reason(Because.UPSTREAM_RUNS, "prepare"),))


def test_what_nobody_is_to_make_blocks_all_the_same() -> None:
    both = stage("both", deps="clean other", outs="b")
    graph = build([definition(PREPARE, both)], {})
    found = outlook(
        graph, graph.stages, lambda _: None, lambda of: seen({dep.name: None for dep in of.deps}), lambda _: False
    )
    assert found["both"].decision.action is Action.BLOCKED
    assert found["both"].decision.reasons[0].subject == "other"


def test_behind_a_blocked_stage_nothing_runs() -> None:
    graph = build([definition(PREPARE, TRAIN)], {})
    found = outlook(
        graph, graph.stages, lambda _: None, lambda of: seen({dep.name: None for dep in of.deps}), lambda _: False
    )
    assert [each.decision.action for each in found.values()] == [Action.BLOCKED, Action.BLOCKED]

"""Decisions: what is done with a stage, and every reason."""

from __future__ import annotations

import dataclasses

import pytest

from dvtool.formats.lock import LockedStage
from dvtool.pipeline.decide import Known
from dvtool.pipeline.decide import decide
from dvtool.pipeline.types import Action
from dvtool.pipeline.types import Because
from dvtool.pipeline.types import Dep
from dvtool.pipeline.types import DepKind
from dvtool.pipeline.types import Mark
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import Stage
from tests.unit.pipeline.made import content
from tests.unit.pipeline.made import locked
from tests.unit.pipeline.made import seen
from tests.unit.pipeline.made import stage

TRAIN = stage("train", "train.py clean", "model")
DEPS: dict[str, int | None] = {"train.py": 1, "clean": 2}
RECORDED = locked(TRAIN, {"train.py": 1, "clean": 2}, {"model": 3}, {"lr": 0.1})
NOTHING = Known()
SAME = seen(DEPS, {"model": 3}, {"lr": 0.1})


def decided(
    of: Stage = TRAIN, record: LockedStage | None = RECORDED, now: Observation = SAME, known: Known = NOTHING
) -> tuple[Action, list[tuple[Because, str]]]:
    decision = decide(of, record, now, known)
    return decision.action, [(reason.because, reason.subject) for reason in decision.reasons]


def test_nothing_changed() -> None:
    assert decided() == (Action.SKIP, [(Because.UNCHANGED, "")])


def test_never_ran() -> None:
    assert decided(record=None) == (Action.RUN, [(Because.NEVER_RAN, "")])


@pytest.mark.parametrize(
    ("of", "now", "reason"),
    [
        (dataclasses.replace(TRAIN, commands=("other",)), SAME, (Because.COMMAND_CHANGED, "")),
        (TRAIN, seen(DEPS, {"model": 3}, {"lr": 0.2}), (Because.PARAM_CHANGED, "params.yaml:lr")),
        (TRAIN, seen(DEPS, {"model": 3}), (Because.PARAM_REMOVED, "params.yaml:lr")),
        (TRAIN, seen(DEPS, {"model": 3}, {"lr": 0.1, "n": 1}), (Because.PARAM_ADDED, "params.yaml:n")),
        (TRAIN, seen({**DEPS, "clean": 9}, {"model": 3}, {"lr": 0.1}), (Because.DEP_CHANGED, "clean")),
        (
            stage("train", "train.py clean new", "model"),
            seen({**DEPS, "new": 5}, {"model": 3}, {"lr": 0.1}),
            (Because.DEP_ADDED, "new"),
        ),
        (
            stage("train", "train.py", "model"),
            seen({"train.py": 1}, {"model": 3}, {"lr": 0.1}),
            (Because.DEP_REMOVED, "clean"),
        ),
        (TRAIN, seen(DEPS, {"model": None}, {"lr": 0.1}), (Because.OUT_MISSING, "model")),
        (TRAIN, seen(DEPS, {"model": 8}, {"lr": 0.1}), (Because.OUT_CHANGED, "model")),
        (
            stage("train", "train.py clean", "model more"),
            seen(DEPS, {"model": 3, "more": 4}, {"lr": 0.1}),
            (Because.OUT_ADDED, "more"),
        ),
    ],
)
def test_each_change_runs_and_is_the_one_reason(of: Stage, now: Observation, reason: tuple[Because, str]) -> None:
    assert decided(of, now=now) == (Action.RUN, [reason])


def test_old_and_new_values_are_told() -> None:
    decision = decide(TRAIN, RECORDED, seen(DEPS, {"model": 3}, {"lr": 1}))
    assert [(reason.before, reason.after) for reason in decision.reasons] == [("0.1", "1")]


def test_an_executable_bit_is_a_change() -> None:
    now = Observation({"train.py": content(1, executable=True), "clean": content(2)}, SAME.params, SAME.outs)
    assert decided(now=now) == (Action.RUN, [(Because.DEP_CHANGED, "train.py")])


@pytest.mark.parametrize("number", [None, 8])
def test_outputs_alone_are_restored_where_the_cache_has_them(number: int | None) -> None:
    now = seen(DEPS, {"model": number}, {"lr": 0.1})
    assert decided(now=now, known=Known(recorded_in_cache=True))[0] is Action.RESTORE


def test_an_earlier_run_with_these_inputs_is_restored() -> None:
    now = seen(DEPS, {"model": 3}, {"lr": 0.7})
    action, reasons = decided(now=now, known=Known(earlier=RECORDED))
    assert action is Action.RESTORE
    assert reasons == [(Because.PARAM_CHANGED, "params.yaml:lr"), (Because.RUN_CACHED, "")]


@pytest.mark.parametrize(("of", "force"), [(TRAIN, True), (dataclasses.replace(TRAIN, always_changed=True), False)])
def test_what_must_run_is_not_restored(of: Stage, force: bool) -> None:
    assert decided(of, known=Known(force=force, earlier=RECORDED, recorded_in_cache=True))[0] is Action.RUN


def test_a_missing_dependency_blocks() -> None:
    now = seen({**DEPS, "clean": None}, {"model": 3}, {"lr": 0.1})
    assert decided(now=now) == (Action.BLOCKED, [(Because.DEP_MISSING, "clean")])
    assert decided(record=None, now=now)[0] is Action.BLOCKED


def test_a_missing_dependency_that_is_still_to_be_made_does_not() -> None:
    now = seen({**DEPS, "clean": None}, {"model": 3}, {"lr": 0.1})
    action, reasons = decided(now=now, known=Known(above=("prepare",)))
    assert action is Action.RUN
    assert reasons == [(Because.DEP_MISSING, "clean"), (Because.UPSTREAM_RUNS, "prepare")]


def test_below_a_stage_that_runs_a_stage_may_run() -> None:
    known = Known(above=("prepare",), recorded_in_cache=True)
    assert decided(known=known) == (Action.MAY_RUN, [(Because.UPSTREAM_RUNS, "prepare")])
    now = seen(DEPS, {"model": 3}, {"lr": 0.7})
    assert decided(now=now, known=known)[0] is Action.RUN


def test_a_frozen_stage_looks_at_its_outputs_only() -> None:
    frozen = dataclasses.replace(TRAIN, frozen=True)
    changed = seen({"train.py": 7, "clean": None}, {"model": 3}, {"lr": 5})
    assert decided(frozen, now=changed, known=Known(above=("prepare",))) == (Action.SKIP, [(Because.FROZEN, "")])
    gone = seen({"train.py": 7, "clean": 7}, {"model": None}, {"lr": 5})
    assert decided(frozen, now=gone, known=Known(recorded_in_cache=True))[0] is Action.RESTORE
    assert decided(frozen, now=gone)[0] is Action.RUN


def test_what_only_repro_may_evaluate_is_not_checked() -> None:
    at = Mark(b"dvtool.yaml", 1, 1)
    of = dataclasses.replace(TRAIN, deps=(*TRAIN.deps, Dep(DepKind.COMMAND, b"", "date", at)))
    assert decided(of) == (Action.MAY_RUN, [(Because.DEP_UNCHECKED, "cmd:date")])

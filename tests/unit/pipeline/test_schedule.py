"""Which stages may be looked at and which may start."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dvtool.pipeline.schedule import Devices
from dvtool.pipeline.schedule import Schedule

DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


def schedule(above: Mapping[str, list[str]], jobs: int = 1, **more: Any) -> Schedule:
    return Schedule(list(above), above, jobs=jobs, **more)


def test_a_stage_is_looked_at_when_all_that_it_needs_is_settled() -> None:
    plan = schedule(DIAMOND, jobs=4)
    assert plan.next_to_look_at() == "a" and plan.next_to_look_at() is None
    plan.settle("a")
    assert [plan.next_to_look_at(), plan.next_to_look_at(), plan.next_to_look_at()] == ["b", "c", None]
    plan.settle("c")
    assert plan.next_to_look_at() is None
    plan.settle("b")
    assert plan.next_to_look_at() == "d"
    plan.settle("d")
    assert plan.is_over


def test_no_more_run_than_may() -> None:
    plan = schedule({"a": [], "b": [], "c": []}, jobs=2)
    for name in "ab":
        assert plan.next_to_look_at() == name
        plan.wants(name, {})
        assert plan.next_to_start() == name
    assert plan.next_to_look_at() is None
    plan.settle("a")
    assert plan.next_to_look_at() == "c"


def test_a_resource_is_not_used_beyond_what_there_is() -> None:
    plan = schedule({"a": [], "b": [], "c": []}, jobs=3, room={"gpu": 2.0})
    for name, amount in (("a", 1.0), ("b", 2.0), ("c", 1.0)):
        assert plan.next_to_look_at() == name
        plan.wants(name, {"gpu": amount})
    assert [plan.next_to_start(), plan.next_to_start(), plan.next_to_start()] == ["a", "c", None]
    plan.settle("a")
    assert plan.next_to_start() is None
    plan.settle("c")
    assert plan.next_to_start() == "b"


def test_a_stage_that_wants_more_than_there_is_runs_alone() -> None:
    plan = schedule({"a": [], "b": []}, jobs=2, room={"memory": 4.0})
    for name, amount in (("a", 100.0), ("b", 1.0)):
        plan.next_to_look_at()
        plan.wants(name, {"memory": amount})
    assert [plan.next_to_start(), plan.next_to_start()] == ["a", None]
    plan.settle("a")
    assert plan.next_to_start() == "b"


def test_what_needs_a_failed_stage_is_lost_and_the_rest_is_not() -> None:
    plan = schedule({**DIAMOND, "e": []}, jobs=9)
    assert [plan.next_to_look_at(), plan.next_to_look_at()] == ["a", "e"]
    plan.settle("a")
    assert [plan.next_to_look_at(), plan.next_to_look_at()] == ["b", "c"]
    assert plan.fail("b") == ["d"]
    plan.settle("c")
    assert plan.next_to_look_at() is None
    plan.settle("e")
    assert plan.is_over


def test_after_a_stop_nothing_starts() -> None:
    plan = schedule({**DIAMOND, "e": []}, jobs=9)
    plan.next_to_look_at()
    plan.wants("a", {})
    assert plan.next_to_start() == "a"
    assert plan.stop() == ["b", "c", "d", "e"]
    plan.settle("a")
    assert plan.next_to_look_at() is None and plan.next_to_start() is None and plan.is_over


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 5))
def test_all_stages_come_once_whatever_the_graph(seed: int, count: int, jobs: int) -> None:
    dice = random.Random(seed)
    names = [str(number) for number in range(count)]
    above = {name: dice.sample(names[:at], dice.randint(0, min(at, 3))) for at, name in enumerate(names)}
    plan = schedule(above, jobs, room={"cpu": 2.0})
    settled: list[str] = []
    running: list[str] = []
    while not plan.is_over:
        while (name := plan.next_to_look_at()) is not None:
            assert set(above[name]) <= set(settled)
            if dice.random() < 0.3:
                plan.settle(name)
                settled.append(name)
            else:
                plan.wants(name, {"cpu": dice.choice((0.0, 1.0, 3.0))})
        while (name := plan.next_to_start()) is not None:
            running.append(name)
        assert len(running) <= jobs
        if running:
            name = running.pop(dice.randrange(len(running)))
            plan.settle(name)
            settled.append(name)
    assert sorted(settled) == sorted(names)


def test_devices_are_used_by_one_at_a_time() -> None:
    devices = Devices(["0", "1", "2"])
    assert devices.take("a", 2.0) == ["0", "1"]
    assert devices.take("b", 1.0) == ["2"]
    assert devices.take("c", 0.5) == []
    devices.give("a")
    assert devices.take("d", 1.0) == ["0"]

"""The graph: who needs whom, in which order, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvtool.errors import ConfigError
from dvtool.pipeline.graph import Graph
from dvtool.pipeline.graph import build
from dvtool.pipeline.types import Stage
from tests.unit.pipeline.made import definition
from tests.unit.pipeline.made import stage


def graph_of(*stages: Stage, tracked: Mapping[bytes, bytes] = MappingProxyType({})) -> Graph:
    return build([definition(*stages)], tracked)


def test_edges_follow_files_directories_and_what_lies_in_them() -> None:
    graph = graph_of(
        stage("use", "data/x clean metrics/a.json"),
        stage("split", "raw", "data"),
        stage("clean", "data", "clean/one clean/two"),
        stage("score", "", "metrics/a.json metrics/b.json"),
        stage("other", "metricsx", "datax"),
    )
    assert sorted(graph.above["use"]) == ["clean", "score", "split"]
    assert graph.above["clean"] == ["split"]
    assert graph.above["other"] == []
    assert graph.order(graph.stages) == ["split", "clean", "score", "use", "other"]
    assert graph.upstream(["clean"]) == {"clean", "split"}
    assert graph.downstream(["split"]) == {"split", "clean", "use"}
    assert graph.connected(["score"]) == {"use", "split", "clean", "score"}
    assert graph.producers[b"clean/two"] == "clean"


def test_a_parameter_file_that_a_stage_writes_is_an_edge() -> None:
    graph = graph_of(stage("tune", "", "best.yaml"), stage("train", params="best.yaml"))
    assert graph.above["train"] == ["tune"]


def test_globs_depend_on_outputs_that_may_match() -> None:
    graph = graph_of(
        stage("a", "", "parts/1.csv parts/1.txt"),
        stage("b", "", "parts/deep"),
        stage("join", "", "parts/all.csv", globs="parts/*.csv"),
        stage("walk", globs="parts/**/*.csv"),
    )
    assert graph.above["join"] == ["a"]
    assert sorted(graph.above["walk"]) == ["a", "b", "join"]


def test_the_order_is_that_of_the_definitions_where_nothing_else_says() -> None:
    graph = graph_of(*(stage(name) for name in "qwerty"))
    assert graph.order(graph.stages) == list("qwerty")


@pytest.mark.parametrize(
    ("stages", "tracked", "words"),
    [
        ((stage("a", "", "x", line=3), stage("b", "", "x", line=9)), {}, ("x", "a", "b", ":3", ":9")),
        ((stage("a", "", "d", line=3), stage("b", "", "d/e/f", line=9)), {}, ("d/e/f", "a", "b", ":3", ":9")),
        ((stage("a", "", "d/x", line=3),), {b"d": b"d.dvt"}, ("d/x", "d.dvt", ":3")),
        ((stage("a", "", "d", line=3),), {b"d/x": b"d/x.dvt"}, ("d/x", "d/x.dvt", ":3")),
        ((stage("a", "", "d", line=3),), {b"d": b"d.dvt"}, ("d.dvt", ":3")),
        ((stage("a", "x", "x", line=3),), {}, ("own output", "a", ":3")),
        ((stage("a", "z", "x", line=3), stage("b", "x", "y"), stage("c", "y", "z")), {}, ("circle", "a", "b", "c")),
    ],
)
def test_overlaps_and_circles_are_refused_with_both_places(
    stages: tuple[Stage, ...], tracked: dict[bytes, bytes], words: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as caught:
        graph_of(*stages, tracked=tracked)
    text = f"{caught.value.message} {caught.value.hint}"
    assert all(word in text for word in words), text


def test_names_that_only_begin_alike_do_not_overlap() -> None:
    graph = graph_of(stage("a", "", "d"), stage("b", "", "d.x d-1"), tracked={b"dd": b"dd.dvt"})
    assert graph.order(graph.stages) == ["a", "b"]


@st.composite
def pipelines(draw: st.DrawFn) -> list[Stage]:
    count = draw(st.integers(1, 12))
    made = []
    for number in range(count):
        needed = draw(st.lists(st.integers(0, max(number - 1, 0)), max_size=3, unique=True)) if number else []
        made.append(stage(f"s{number}", " ".join(f"out/{each}" for each in needed), f"out/{number}"))
    return draw(st.permutations(made))


@given(pipelines())
def test_every_stage_stands_behind_what_it_needs(stages: list[Stage]) -> None:
    graph = graph_of(*stages)
    order = graph.order(graph.stages)
    assert sorted(order) == sorted(graph.stages)
    assert all(order.index(above) < order.index(each) for each in order for above in graph.above[each])

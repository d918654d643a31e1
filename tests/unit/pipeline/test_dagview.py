"""The graph as it is shown."""

from __future__ import annotations

from dvtool.pipeline.dagview import chosen
from dvtool.pipeline.dagview import folded
from dvtool.pipeline.dagview import output_view
from dvtool.pipeline.dagview import stage_view
from dvtool.pipeline.dagview import targets_in
from dvtool.pipeline.graph import build
from tests.unit.pipeline.made import definition
from tests.unit.pipeline.made import stage

TRACKED = {b"data/raw": b"data/raw.dvt", b"other": b"other.dvt"}
GRAPH = build(
    [
        definition(
            stage("prepare", deps="data/raw/a.csv code.py", outs="clean log"),
            stage("train", deps="clean", outs="model"),
            stage("sum@1", deps="model", outs="s1", group="sum"),
            stage("sum@2", deps="model", outs="s2", group="sum"),
            stage("report", globs="s?"),
        )
    ],
    TRACKED,
)


def test_stages_and_tracked_data() -> None:
    view = stage_view(GRAPH, TRACKED)
    assert {name: [*needed] for name, needed in view.above.items()} == {
        "data/raw.dvt": [],
        "other.dvt": [],
        "prepare": ["data/raw.dvt"],
        "train": ["prepare"],
        "sum@1": ["train"],
        "sum@2": ["train"],
        "report": ["sum@1", "sum@2"],
    }
    assert {node.kind for name, node in view.nodes.items() if name.endswith(".dvt")} == {"data"}


def test_outputs() -> None:
    view = output_view(GRAPH, TRACKED)
    assert {name: [*needed] for name, needed in view.above.items()} == {
        "data/raw": [],
        "other": [],
        "clean": ["data/raw"],
        "log": ["data/raw"],
        "model": ["clean"],
        "s1": ["model"],
        "s2": ["model"],
    }
    assert view.nodes["log"].stage == "prepare"


def test_a_target_has_all_that_it_needs_and_full_all_that_hangs_together() -> None:
    view = stage_view(GRAPH, TRACKED)
    assert [*chosen(view, ["train"], full=False).nodes] == ["data/raw.dvt", "prepare", "train"]
    assert [*chosen(view, ["train"], full=True).nodes] == [name for name in view.nodes if name != "other.dvt"]
    assert chosen(view, ["train"], full=False).edges == [("data/raw.dvt", "prepare"), ("prepare", "train")]


def test_groups_are_folded() -> None:
    view = folded(stage_view(GRAPH, TRACKED), GRAPH)
    assert view.nodes["sum"].count == 2
    assert ("train", "sum") in view.edges
    assert ("sum", "report") in view.edges
    assert len(view.edges) == 4


def test_stages_of_a_group_that_need_each_other_across_another_stage_are_still_shown() -> None:
    graph = build(
        [definition(stage("g@1", outs="a", group="g"), stage("mid", "a", "b"), stage("g@2", "b", "c", group="g"))],
        {},
    )
    view = folded(stage_view(graph, {}), graph)
    assert sorted(view.edges) == [("g", "mid"), ("mid", "g")]


def test_targets() -> None:
    outputs = output_view(GRAPH, TRACKED)
    assert targets_in(outputs, GRAPH, ["prepare"], None) == ["clean", "log"]
    assert targets_in(outputs, GRAPH, ["prepare"], b"clean") == ["clean"]
    assert targets_in(stage_view(GRAPH, TRACKED), GRAPH, ["prepare"], b"clean") == ["prepare"]

"""Chains of causes."""

from __future__ import annotations

from dvtool.pipeline.graph import build
from dvtool.pipeline.types import Action
from dvtool.pipeline.types import Because
from dvtool.pipeline.types import Decision
from dvtool.pipeline.types import Reason
from dvtool.pipeline.why import Cause
from dvtool.pipeline.why import Explained
from dvtool.pipeline.why import explain
from tests.unit.pipeline.made import definition
from tests.unit.pipeline.made import stage

GRAPH = build(
    [
        definition(
            stage("prepare", deps="raw.csv", outs="clean"),
            stage("train", deps="clean", outs="model", params="params.yaml"),
            stage("evaluate", deps="model clean", outs="metrics"),
        )
    ],
    {},
)
RAW = Reason(Because.DEP_CHANGED, "raw.csv", "blake3:1", "blake3:2")
RATE = Reason(Because.PARAM_CHANGED, "params.yaml:train.lr", "0.1", "0.2")


def _above(*names: str) -> tuple[Reason, ...]:
    return tuple(Reason(Because.UPSTREAM_RUNS, name) for name in names)


def test_every_chain_ends_at_what_was_changed_and_each_stage_is_told_once() -> None:
    decisions = {
        "prepare": Decision("prepare", Action.RUN, (RAW,)),
        "train": Decision("train", Action.RUN, (RATE, *_above("prepare"))),
        "evaluate": Decision("evaluate", Action.MAY_RUN, _above("prepare", "train")),
    }
    assert explain(GRAPH, decisions, ["evaluate"]) == [
        Explained(
            "evaluate",
            Action.MAY_RUN,
            (Cause(_above("prepare")[0], "prepare"), Cause(_above("train")[0], "train")),
        ),
        Explained("prepare", Action.RUN, (Cause(RAW, "", b"raw.csv"),)),
        Explained(
            "train",
            Action.RUN,
            (Cause(RATE, "", b"params.yaml", "train.lr"), Cause(_above("prepare")[0], "prepare")),
        ),
    ]


def test_a_dependency_that_a_stage_makes_leads_to_that_stage_and_to_no_file() -> None:
    changed = Reason(Because.DEP_CHANGED, "clean", "blake3:1", "blake3:2")
    decisions = {
        "prepare": Decision("prepare", Action.RUN, (RAW,)),
        "train": Decision("train", Action.RUN, (changed, *_above("prepare"))),
    }
    assert explain(GRAPH, decisions, ["train"])[0].causes == (Cause(changed, "prepare"),)
    decisions["prepare"] = Decision("prepare", Action.SKIP, (Reason(Because.UNCHANGED),))
    decisions["train"] = Decision("train", Action.RUN, (changed,))
    train, prepare = explain(GRAPH, decisions, ["train"], {"prepare": [RAW]}.__getitem__)
    assert train.causes == (Cause(changed, "prepare"),)
    assert prepare == Explained("prepare", Action.SKIP, (Cause(RAW, "", b"raw.csv"),), past=True)


def test_a_changed_command_leads_to_its_definition() -> None:
    reason = Reason(Because.COMMAND_CHANGED, "", "old", "new")
    decisions = {"prepare": Decision("prepare", Action.RUN, (reason,))}
    assert explain(GRAPH, decisions, ["prepare"])[0].causes == (Cause(reason, "", b"dvtool.yaml"),)

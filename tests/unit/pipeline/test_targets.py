"""What targets mean."""

from __future__ import annotations

import pytest

from dvtool.errors import UsageError
from dvtool.pipeline.graph import build
from dvtool.pipeline.targets import TargetRequest
from dvtool.pipeline.targets import select
from tests.unit.pipeline.made import definition
from tests.unit.pipeline.made import stage

SUB = b"models/dvtool.yaml"
GRAPH = build(
    [
        definition(
            stage("prepare", "raw", "clean"),
            stage("train@a", "clean", "model-a", group="train"),
            stage("train@b", "clean", "model-b", group="train"),
            stage("alone", "", "lonely"),
        ),
        definition(
            stage("deploy", "model-a", "models/served", file=SUB),
            stage("alone", "", "models/lonely", file=SUB),
            file=SUB,
        ),
    ],
    {},
)
DEPLOY, ALONE = "models/dvtool.yaml:deploy", "models/dvtool.yaml:alone"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (TargetRequest(), ["prepare", "train@a", "train@b", "alone"]),
        (TargetRequest(directory=b"models"), ["prepare", "train@a", DEPLOY, ALONE]),
        (TargetRequest(("train@b",)), ["prepare", "train@b"]),
        (TargetRequest(("train",)), ["prepare", "train@a", "train@b"]),
        (TargetRequest(("train@b",), single=True), ["train@b"]),
        (TargetRequest(("train@b", "alone"), single=True), ["train@b", "alone"]),
        (TargetRequest(("models/dvtool.yaml:alone",)), [ALONE]),
        (TargetRequest(("alone",), directory=b"models"), [ALONE]),
        (TargetRequest(("../dvtool.yaml:alone",), directory=b"models"), ["alone"]),
        (TargetRequest(("models/dvtool.yaml",), single=True), [DEPLOY, ALONE]),
        (TargetRequest(("models",), single=True), [DEPLOY, ALONE]),
        (TargetRequest(("model-b",)), ["prepare", "train@b"]),
        (TargetRequest(("served",), directory=b"models", single=True), [DEPLOY]),
        (TargetRequest(("models",), recursive=True, single=True), [DEPLOY, ALONE]),
        (TargetRequest(("train@*",), glob=True, single=True), ["train@a", "train@b"]),
        (TargetRequest(("prepare",), downstream=True), ["prepare", "train@a", "train@b", DEPLOY]),
        (TargetRequest(("train@b",), pipeline=True), ["prepare", "train@a", "train@b", DEPLOY]),
        (TargetRequest(everything=True), ["prepare", "train@a", "train@b", "alone", DEPLOY, ALONE]),
    ],
)
def test_targets(request_: TargetRequest, expected: list[str]) -> None:
    assert select(GRAPH, request_) == expected


def test_what_is_near_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        select(GRAPH, TargetRequest(("prepar",)))
    assert "`prepare`" in str(caught.value.hint)

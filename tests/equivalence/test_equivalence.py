"""Every body of a ``dvc.yaml`` means in ``dvtool.yaml`` what DVC says that it means.

The answers of DVC are recorded; with ``DVTOOL_TEST_DVC=/path/to/its/python`` it is asked again.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dvtool.pipeline.definition import parse
from dvtool.pipeline.graph import build
from dvtool.pipeline.types import Definition
from dvtool.pipeline.types import Out
from dvtool.pipeline.types import Stage
from tests.equivalence.cases import ANSWERS
from tests.equivalence.cases import Files
from tests.equivalence.cases import all_cases

CASES = all_cases()
RECORDED = json.loads(ANSWERS.read_text(encoding="utf-8"))["answers"]
DVC = os.environ.get("DVTOOL_TEST_DVC")


@pytest.mark.parametrize("name", CASES)
def test_stages_and_graph_are_those_of_dvc(name: str) -> None:
    assert ours(CASES[name]) == {key: value for key, value in RECORDED[name].items() if key != "told"}


@pytest.mark.parametrize("name", CASES)
def test_what_the_commands_of_dvc_print_is_the_same(name: str) -> None:
    told = RECORDED[name]["told"]
    answer = ours(CASES[name])
    stages = answer["stages"]
    assert sorted(stages) == told["list"]
    edges = {tuple(line.rstrip(";").replace('"', "").split(" -> ")) for line in told["dag"] if "->" in line}
    assert {(lower, upper) for upper, lower in answer["graph"]} == edges
    if told["dry"] is not None:
        assert (
            sorted(cmd for each in stages.values() if "frozen" not in each for cmd in each["commands"]) == told["dry"]
        )


def test_there_are_enough_cases() -> None:
    assert set(RECORDED) == set(CASES)
    assert len(CASES) >= 40
    assert not [name for name, answer in RECORDED.items() if "error" in answer]


@pytest.mark.skipif(DVC is None, reason="DVTOOL_TEST_DVC names no Python with DVC")
def test_the_recorded_answers_are_what_dvc_says_today(tmp_path: Path) -> None:
    assert DVC is not None
    script = Path(__file__).parent / "ask_dvc.py"
    subprocess.run([DVC, script, tmp_path / "answers.json"], check=True, stdout=subprocess.DEVNULL, timeout=600)
    assert json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))["answers"] == RECORDED


def ours(files: Files) -> dict[str, Any]:
    found = {path.encode(): text.encode() for path, text in files.items()}
    definitions = {
        path: parse(text, path.replace(b"dvc.yaml", b"dvtool.yaml"), found.get)
        for path, text in found.items()
        if path.endswith(b"dvc.yaml")
    }
    graph = build(definitions.values(), {})
    edges = [[_address(upper), _address(lower)] for upper, above in graph.above.items() for lower in above]
    return {
        "graph": sorted(edges),
        "stages": {_address(stage.address): _stage(stage) for each in definitions.values() for stage in each.stages},
        "tops": {path.decode(): _top(definition) for path, definition in definitions.items()},
    }


def _address(address: str) -> str:
    return address.replace("dvtool.yaml:", "dvc.yaml:")


def _stage(stage: Stage) -> dict[str, Any]:
    found = {
        "commands": list(stage.commands),
        "wdir": stage.wdir.decode(),
        "deps": [dep.name for dep in stage.deps],
        "params": {each.file.decode(): list(each.keys) for each in stage.params},
        "outs": {out.path.decode(): _out(out) for out in stage.outs},
        "frozen": stage.frozen,
        "always_changed": stage.always_changed,
        "desc": stage.desc,
        "meta": stage.meta,
        "uses": {each.file.decode(): sorted(each.keys) for each in stage.uses},
        "group": stage.group,
    }
    return {key: value for key, value in found.items() if value}


def _out(out: Out) -> dict[str, Any]:
    options = {"cache": out.cache, "persist": out.persist, "push": out.push, "remote": out.remote}
    usual = {"cache": True, "persist": False, "push": True, "remote": None}
    found = {"kind": out.kind.value, **{key: value for key, value in options.items() if value != usual[key]}}
    return {**found, "about": dict(out.about)} if out.about else found


def _top(definition: Definition) -> dict[str, Any]:
    base = definition.file.rpartition(b"/")[0]
    below = len(base) + 1 if base else 0
    found = {
        "params": [path.decode()[below:] for path in definition.params],
        "metrics": [path.decode()[below:] for path in definition.metrics],
        "plots": list(definition.plots),
        "artifacts": dict(definition.artifacts),
    }
    return {key: value for key, value in found.items() if value}

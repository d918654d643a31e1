"""Definitions are edited and keep what a person wrote."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dvtool.errors import FormatError
from dvtool.errors import UsageError
from dvtool.formats.lock import Json
from dvtool.pipeline.edit import add_stage
from dvtool.pipeline.edit import remove_stage
from dvtool.pipeline.edit import set_frozen

BODY: dict[str, Json] = {"cmd": "python train.py --lr '0.1'", "deps": ["a b"], "outs": ["m", {"log": {"cache": False}}]}

WRITTEN = """\
# Our pipeline.
vars:
  - config.yaml

stages:
  prepare:   # first
    cmd: >-
      python prepare.py
      --all

    deps: [raw]   # flow
    # behind prepare

  # the second one
  train:
    cmd: 'train'
    frozen: true

# The end.
metrics:
- m.json
"""


def test_a_new_file_has_a_modeline() -> None:
    text = add_stage("", "train", BODY, "dvtool.yaml", modeline="# schema\n")
    assert text == (
        "# schema\n"
        "stages:\n"
        "  train:\n"
        "    cmd: python train.py --lr '0.1'\n"
        "    deps:\n"
        "    - a b\n"
        "    outs:\n"
        "    - m\n"
        "    - log:\n"
        "        cache: false\n"
    )
    assert yaml.safe_load(text) == {"stages": {"train": BODY}}


def test_a_stage_is_added_behind_the_last_one_and_nothing_else_changes() -> None:
    text = add_stage(WRITTEN, "evaluate", {"cmd": "e"}, "dvtool.yaml")
    assert text == WRITTEN.replace("    frozen: true\n", "    frozen: true\n  evaluate:\n    cmd: e\n")


def test_a_comment_of_the_last_stage_stays_with_it() -> None:
    text = "stages:\n  a:\n    cmd: a\n    # of a\n# of all\n"
    assert (
        add_stage(text, "b", {"cmd": "b"}, "f") == "stages:\n  a:\n    cmd: a\n    # of a\n  b:\n    cmd: b\n# of all\n"
    )


def test_a_stage_is_replaced_only_if_that_is_demanded() -> None:
    with pytest.raises(UsageError, match="prepare is there already"):
        add_stage(WRITTEN, "prepare", {"cmd": "p"}, "dvtool.yaml")
    text = add_stage(WRITTEN, "prepare", {"cmd": "p"}, "dvtool.yaml", replace=True)
    assert yaml.safe_load(text)["stages"] == {"prepare": {"cmd": "p"}, "train": {"cmd": "train", "frozen": True}}
    assert text.startswith("# Our pipeline.")
    assert "  # the second one\n  train:" in text


@pytest.mark.parametrize(
    "text",
    [
        "# only a comment",
        "vars: [a.yaml]",
        "vars:\n- a.yaml\n# end",
        "stages:",
        "stages:\n",
        "stages: {}\n",
        "stages:   # none yet\nvars: [a]\n",
        "stages: {a: {cmd: x}}\n",
        "{stages: {a: {cmd: x}}}\n",
        "stages:\n    a: {cmd: x}",
        "stages:\n  a:\n    cmd: |\n      x\n\n\n",
        "stages:\n  a: &x\n    cmd: x\n  b: *x\n",
        "stages:\r\n  a:\r\n    cmd: x\r\n",
        "\ufeffstages:\n  a:\n    cmd: x\n",
    ],
)
def test_any_layout_takes_a_stage_or_is_left_alone(text: str) -> None:
    before = yaml.safe_load(text) or {}
    after = yaml.safe_load(add_stage(text, "new", BODY, "dvtool.yaml"))
    assert after == {**before, "stages": {**(before.get("stages") or {}), "new": BODY}}


def test_a_layout_that_cannot_be_edited_is_refused() -> None:
    with pytest.raises(FormatError, match="nothing was changed"):
        add_stage("{vars: [a]}\n", "new", BODY, "dvtool.yaml")
    with pytest.raises(FormatError, match=r"dvtool.yaml:1: expected"):
        add_stage("- a\n", "new", BODY, "dvtool.yaml")
    with pytest.raises(FormatError, match=r"dvtool.yaml:2:1: not valid YAML"):
        add_stage("a: b\n\tc", "new", BODY, "dvtool.yaml")


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_comes_back(command: str, path: str) -> None:
    text = add_stage("stages:\n  a:\n    cmd: a\n", "b", {"cmd": command, "deps": [path]}, "f")
    assert yaml.safe_load(text)["stages"]["b"] == {"cmd": command, "deps": [path]}


def test_freezing_adds_one_line() -> None:
    text = set_frozen(WRITTEN, "prepare", "dvtool.yaml", frozen=True)
    assert text == WRITTEN.replace("    # behind prepare\n", "    # behind prepare\n    frozen: true\n")
    assert set_frozen(text, "prepare", "dvtool.yaml", frozen=True) == text
    assert set_frozen(text, "prepare", "dvtool.yaml", frozen=False) == WRITTEN


def test_unfreezing_takes_the_line_away_or_changes_a_value_that_has_a_comment() -> None:
    assert set_frozen(WRITTEN, "train", "f", frozen=False) == WRITTEN.replace("    frozen: true\n", "")
    noted = WRITTEN.replace("frozen: true", "frozen: true  # costly")
    assert set_frozen(noted, "train", "f", frozen=False) == WRITTEN.replace("frozen: true", "frozen: false  # costly")


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        "stages: {a: {cmd: x}, b: {cmd: y}}",
        "stages:\n  a: {cmd: x, frozen: false}\n",
        "stages:\n  a: {cmd: x, frozen: true}\n",
        "stages:\n  a:\n    frozen: true\n    cmd: x",
        "stages:\n  a:\n    cmd: |\n      frozen: true\n",
    ],
)
def test_freezing_in_other_layouts(text: str, frozen: bool) -> None:
    after = yaml.safe_load(set_frozen(text, "a", "f", frozen=frozen))
    wanted = yaml.safe_load(text)
    assert bool(after["stages"]["a"].pop("frozen", False)) is frozen
    wanted["stages"]["a"].pop("frozen", None)
    assert after == wanted


def test_what_foreach_makes_is_frozen_as_a_whole() -> None:
    text = "stages:\n  a:\n    foreach: [1, 2]\n    do:\n      cmd: x ${item}\n"
    assert set_frozen(text, "a", "f", frozen=True) == text + "      frozen: true\n"
    with pytest.raises(UsageError) as caught:
        set_frozen(text, "a@1", "f", frozen=True)
    assert caught.value.hint == "what `foreach` or `matrix` makes is frozen as a whole: a"


def test_a_body_that_stands_elsewhere_is_left_alone() -> None:
    with pytest.raises(FormatError, match="nothing was changed"):
        set_frozen("stages:\n  a: &x\n    cmd: x\n  b: *x\n", "b", "f", frozen=True)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("stages:\n  a:\n    cmd: x\n\n  b:  # b\n    cmd: y\n", "stages:\n  b:  # b\n    cmd: y\n"),
        (
            "stages:\n  b:\n    cmd: y\n\n  a:\n    cmd: x\n    # about a\nparams: [p]\n",
            "stages:\n  b:\n    cmd: y\n\nparams: [p]\n",
        ),
        ("stages:\n  a:\n    foreach: [1]\n    do:\n      cmd: x\n", "stages:\n"),
    ],
)
def test_a_stage_is_taken_out_alone(text: str, left: str) -> None:
    assert remove_stage(text, "a", "dvtool.yaml") == left


def test_what_cannot_be_taken_out_without_risk_is_left() -> None:
    with pytest.raises(UsageError, match="no stage c"):
        remove_stage("stages:\n  a:\n    cmd: x\n", "c", "dvtool.yaml")
    with pytest.raises(FormatError, match="too unusual"):
        remove_stage("stages: {a: {cmd: x}, b: {cmd: y}}\n", "a", "dvtool.yaml")
    with pytest.raises(FormatError, match="too unusual"):
        remove_stage("stages:\n  a: &a\n    cmd: x\n  b: *a\n", "a", "dvtool.yaml")

"""Each path has one owner, a pointer or a stage: whoever claims it second is refused, and both places are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project

DEFINITION = """\
stages:
  prepare:
    cmd: mkdir -p out && touch out/a
    deps: [raw]
    outs: [out]
  train:
    cmd: touch models/best
    deps: [out]
    outs: [models/best]
"""


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    made = git_project(tmp_path / "repo")
    (made.at / "dvtool.yaml").write_text(DEFINITION)
    for path in ("raw", "out/a", "models/best", "models/other", "free"):
        (made.at / path).parent.mkdir(exist_ok=True)
        (made.at / path).write_text(path)
    made.done("add", "-q", "raw")
    return made


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("out", "out would belong to out.dvt and to stage prepare (dvtool.yaml:5)"),
        ("out/a", "out/a, which would belong to out/a.dvt, lies in out of stage prepare (dvtool.yaml:5)"),
        ("models", "models, which would belong to models.dvt, holds models/best of stage train (dvtool.yaml:9)"),
    ],
)
def test_an_output_is_not_added_before_its_stage_ever_ran(cli: CommandLine, path: str, words: str) -> None:
    ran = cli("add", path)
    assert (ran.code, words in ran.err) == (2, True), ran.err
    assert not (cli.at / f"{path}.dvt").exists()


def test_an_output_is_not_added_after_its_stage_ran_either(cli: CommandLine) -> None:
    cli.done("repro", "-q")
    for path in ("out", "out/a", "models"):
        ran = cli("add", path)
        assert ran.code in (2, 6) and ("stage" in ran.err and "dvtool." in ran.err), ran.err


def test_what_no_stage_writes_is_added(cli: CommandLine) -> None:
    cli.done("add", "free", "models/other", "raw")


def test_nothing_is_moved_to_where_a_stage_writes(cli: CommandLine) -> None:
    (cli.at / "models/best").unlink()
    ran = cli("move", "raw", "models/best")
    assert ran.code == 2
    assert "models/best.dvt and to stage train (dvtool.yaml:9)" in ran.err
    assert (cli.at / "raw").exists()


def test_nothing_is_copied_in_to_where_a_stage_writes(cli: CommandLine) -> None:
    (cli.at / "models/best").unlink()
    ran = cli("add", "-o", "models/best", "free")
    assert ran.code == 2
    assert "stage train (dvtool.yaml:9)" in ran.err


@pytest.mark.parametrize("verb", ["repro", "plan", "dag", "status", "why"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("outs: [models/best]", "outs: [raw]"), ("dvtool.yaml:9", "raw.dvt")),
        (("outs: [models/best]", "outs: [raw/inside]"), ("dvtool.yaml:9", "raw.dvt")),
        (("outs: [models/best]", "outs: [out]"), ("dvtool.yaml:9", "dvtool.yaml:5")),
        (("outs: [models/best]", "outs: [out/x]"), ("dvtool.yaml:9", "dvtool.yaml:5")),
        (("deps: [raw]", "deps: [models/best]"), ("dvtool.yaml:2", "dvtool.yaml:6", "in a circle")),
        (("deps: [raw]", "deps: [out/a]"), ("dvtool.yaml:4", "its own output")),
    ],
    ids=["pointer", "in a pointer's", "stage", "in a stage's", "circle", "itself"],
)
def test_definitions_with_two_owners_or_a_circle_are_refused(
    cli: CommandLine, verb: str, change: tuple[str, str], words: tuple[str, ...]
) -> None:
    (cli.at / "dvtool.yaml").write_text(DEFINITION.replace(*change))
    ran = cli(verb)
    assert ran.code == 9
    assert all(word in ran.err for word in words), ran.err
    assert (cli.at / "out/a").read_text() == "out/a"


def test_data_can_be_added_while_a_definition_is_broken(cli: CommandLine) -> None:
    (cli.at / "dvtool.yaml").write_text("stages: [")
    cli.done("add", "free")

"""``why``: every chain of causes, down to what was changed and by whom."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project

DEFINITION = """\
stages:
  prepare:
    cmd: sort raw > clean
    deps: [raw, prepare.py]
    outs: [clean]
  train:
    cmd: cat clean params.yaml > model
    deps: [clean]
    params: [lr]
    outs: [model]
  report:
    cmd: wc -c model > report
    deps: [model]
    outs: [report]
"""


def commit(cli: CommandLine, message: str, who: str = "Ada") -> None:
    subprocess.run(["git", "add", "-A"], cwd=cli.at, check=True)
    author = f"--author={who} <{who.lower()}@example.org>"
    subprocess.run(["git", "commit", "-q", "-m", message, author], cwd=cli.at, check=True)


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    made = git_project(tmp_path / "repo")
    (made.at / "dvtool.yaml").write_text(DEFINITION)
    (made.at / "params.yaml").write_text("lr: 1\nother: 1\n")
    (made.at / "prepare.py").write_text("1")
    (made.at / "raw").write_text("b\na\n")
    made.done("add", "-q", "raw")
    made.done("repro", "-q")
    commit(made, "first")
    return made


def explained(cli: CommandLine, *targets: str) -> dict[str, list[tuple[str, str | None, str | None]]]:
    """Of each stage its causes: the text, where it leads to, who made the change."""

    def author(cause: Any) -> str | None:
        return None if cause["author"] is None else cause["author"]["subject"] or "not committed"

    stages = cli("why", "--json", *targets).document["stages"]
    return {
        stage["stage"]: [(cause["text"], cause["leads_to"], author(cause)) for cause in stage["causes"]]
        for stage in stages
    }


def test_up_to_date(cli: CommandLine) -> None:
    assert cli.done("why") == "Every stage is up to date.\n"
    assert cli.done("why", "train") == "train is up to date\n  nothing changed\n"


def test_a_chain_ends_at_the_parameter_and_the_commit_that_changed_it(cli: CommandLine) -> None:
    (cli.at / "params.yaml").write_text("lr: 2\nother: 1\n")
    commit(cli, "faster", who="Bob")
    (cli.at / "params.yaml").write_text("lr: 2\nother: 5\n")
    commit(cli, "something else")
    assert explained(cli, "report") == {
        "report": [("stage train comes before it", "train", None)],
        "train": [("parameter params.yaml:lr changed: 1 -> 2", None, "faster")],
    }
    out = cli.done("why", "report")
    assert "report may run\n  stage train comes before it (see train below)\n" in out
    assert " Bob: faster" in out


def test_a_change_that_is_not_committed(cli: CommandLine) -> None:
    (cli.at / "prepare.py").write_text("22")
    assert explained(cli, "prepare") == {"prepare": [("dependency prepare.py changed", None, "not committed")]}
    commit(cli, "better")
    assert explained(cli, "prepare") == {"prepare": [("dependency prepare.py changed", None, "better")]}


def test_of_tracked_data_git_knows_the_pointer(cli: CommandLine) -> None:
    (cli.at / "raw").write_text("c\n")
    assert explained(cli, "prepare")["prepare"] == [("dependency raw changed", None, "not committed")]
    cli.done("add", "-q", "raw")
    assert explained(cli, "prepare")["prepare"] == [("dependency raw changed", None, "not committed")]
    commit(cli, "new data")
    assert explained(cli, "prepare")["prepare"] == [("dependency raw changed", None, "new data")]


def test_a_changed_command(cli: CommandLine) -> None:
    (cli.at / "dvtool.yaml").write_text(DEFINITION.replace("wc -c model", "wc model"))
    commit(cli, "words too")
    (cli.at / "dvtool.yaml").write_text("# a comment\n" + DEFINITION.replace("wc -c model", "wc model"))
    found = explained(cli, "report")["report"]
    assert found == [("its command changed: wc -c model > report -> wc model > report", None, "words too")]


def test_a_command_changes_with_the_values_in_it(cli: CommandLine) -> None:
    (cli.at / "dvtool.yaml").write_text(DEFINITION.replace("wc -c model", "wc -${kind} model"))
    (cli.at / "params.yaml").write_text("lr: 1\nother: 1\nkind: c\n")
    commit(cli, "a value in the command")
    cli.done("repro", "-q")
    (cli.at / "params.yaml").write_text("lr: 1\nother: 1\nkind: l\n")
    words = "its command changed: wc -c model > report -> wc -l model > report"
    assert explained(cli, "report")["report"] == [(words, None, "not committed")]
    commit(cli, "lines, not bytes")
    assert explained(cli, "report")["report"] == [(words, None, "lines, not bytes")]


def test_a_chain_goes_on_through_a_stage_that_ran_since(cli: CommandLine) -> None:
    (cli.at / "raw").write_text("c\n")
    cli.done("add", "-q", "raw")
    commit(cli, "new data")
    cli.done("repro", "-q", "prepare")
    assert explained(cli, "train") == {
        "train": [("dependency clean changed", "prepare", None)],
        "prepare": [("dependency raw changed", None, "new data")],
    }
    assert "prepare is up to date; it ran last because\n  dependency raw changed" in cli.done("why", "train")


def test_in_another_clone_committed_locks_tell_why_a_stage_ran(cli: CommandLine) -> None:
    (cli.at / "raw").write_text("c\n")
    cli.done("add", "-q", "raw")
    cli.done("repro", "-q", "prepare")
    commit(cli, "new data")
    shutil.rmtree(cli.at / ".git/dvtool/runs")
    assert explained(cli, "train") == {
        "train": [("dependency clean changed", "prepare", None)],
        "prepare": [("dependency raw changed", None, "new data")],
    }


@pytest.mark.parametrize(
    ("target", "stages"),
    [
        ("clean", ["prepare"]),
        ("raw", ["prepare"]),
        ("raw.dvt", ["prepare"]),
        ("params.yaml", ["train"]),
        ("model", ["train"]),
    ],
)
def test_a_path_stands_for_the_stage_that_makes_it_or_for_those_that_read_it(
    cli: CommandLine, target: str, stages: list[str]
) -> None:
    assert list(explained(cli, target)) == stages


def test_a_path_that_no_stage_has_to_do_with(cli: CommandLine) -> None:
    (cli.at / "notes").write_text("")
    assert cli("why", "notes").code == 2


def test_all_that_is_out_of_date(cli: CommandLine) -> None:
    (cli.at / "params.yaml").write_text("lr: 3\n")
    assert list(explained(cli)) == ["train", "report"]


def test_without_git(tmp_path: Path) -> None:
    place = tmp_path / "plain"
    place.mkdir()
    cli = CommandLine(place)
    cli.done("init", "-q", "--no-scm")
    (place / "dvtool.yaml").write_text("stages:\n  a:\n    cmd: touch b\n    deps: [c]\n    outs: [b]\n")
    (place / "c").write_text("1")
    cli.done("repro", "-q")
    (place / "c").write_text("2")
    assert explained(cli) == {"a": [("dependency c changed", None, None)]}

"""`undo` and `op log` as they are typed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    cli = git_project(tmp_path / "repo")
    (cli.at / "data").mkdir()
    (cli.at / "data/a.csv").write_text("one")
    cli.done("add", "data")
    return cli


def git(cli: CommandLine, *args: str) -> None:
    subprocess.run(["git", *args], cwd=cli.at, check=True, capture_output=True)


def log(cli: CommandLine) -> list[str]:
    """The log without the times."""
    return [
        re.sub(r"  +", "  ", re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\dZ  ", "", line))
        for line in cli.done("op", "log").splitlines()
    ]


def test_the_log_says_what_was_done(cli: CommandLine) -> None:
    (cli.at / "data/a.csv").write_text("two")
    cli.done("add", "data")
    cli.done("undo")
    assert log(cli) == [
        "4  undo  3 (add data)",
        "3  add data  (undone by 4)",
        "2  add data",
        f"1  init -q  {cli.at}",
    ]
    assert cli.done("op", "log", "-n", "1").count("\n") == 1


def test_secrets_are_not_noted_in_the_command(cli: CommandLine) -> None:
    cli.done("config", "--local", "remote.origin.secret_access_key", "hunter2")
    cli.done("remote", "add", "--local", "web", "s3://bucket/x")
    assert log(cli)[1] == "3  config --local remote.origin.secret_access_key ***  remote.origin.secret_access_key set"
    assert "hunter2" not in cli.done("op", "log", "--json")


def test_undo_says_what_it_changed_and_how_to_go_forward(cli: CommandLine) -> None:
    git(cli, "add", ".")
    git(cli, "commit", "-qm", "v1")
    (cli.at / "data/a.csv").write_text("two")
    cli.done("add", "data")
    git(cli, "commit", "-qam", "v2")
    git(cli, "checkout", "-q", "HEAD~1")
    cli.done("checkout")
    assert cli.done("undo").splitlines() == [
        "took back 4: checkout data",
        "  data      data  (1 replaced)",
        "to bring it back: dvtool undo",
    ]
    assert (cli.at / "data/a.csv").read_text() == "two"
    git(cli, "checkout", "-q", "-")
    assert cli.done("undo", "--to", "2", "--dry-run").splitlines() == [
        "would take back 3: add data",
        "  changed   data.dvt",
        "  the files themselves stay as they are",
    ]
    assert cli.done("undo", "--to", "2").splitlines() == [
        "took back 3: add data",
        "  changed   data.dvt",
        "  the files themselves stay as they are",
        "next: git add data.dvt   (what is committed stays: see `git revert`)",
        "to bring it back: dvtool undo",
    ]


def test_a_conflict_is_listed_and_ends_with_1(cli: CommandLine) -> None:
    cli.done("remove", "--outs", "data")
    cli.done("undo")
    (cli.at / "data/a.csv").write_text("mine")
    ran = cli("undo")
    assert ran.code == 1
    assert "data/a.csv (changed since)" in ran.err
    assert "dvtool undo --force" in ran.err
    assert (cli.at / "data/a.csv").read_text() == "mine"
    assert (cli.at / "data.dvt").exists()
    assert "replaced, their old bytes are kept" in cli.done("undo", "--force")
    assert not (cli.at / "data").exists()
    assert "data/a.csv" in cli.done("recover")


def test_a_push_is_stepped_over_only_when_asked(cli: CommandLine, tmp_path: Path) -> None:
    cli.done("remote", "add", "-d", "origin", str(tmp_path / "remote"))
    cli.done("push")
    ran = cli("undo")
    assert ran.code == 1
    assert "operation 4 (push to origin) is not undone: what was uploaded stays on the remote" in ran.err
    assert "dvtool undo --to 2" in ran.err
    ran = cli("undo", "--to", "1")
    assert ran.code == 0
    assert "operation 4 (push to origin) is not undone" in ran.err
    assert not (cli.at / "data.dvt").exists()
    assert (cli.at / "data/a.csv").read_text() == "one"
    assert log(cli)[1].endswith("(cannot be undone)")


def test_json(cli: CommandLine) -> None:
    document = cli("undo", "--json").document
    assert document["schema"] == "dvtool/undo/1"
    (step,) = document["steps"]
    assert [(one["id"], one["verb"]) for one in step["operations"]] == [(2, "add")]
    assert step["files"] == [
        {"path": "data.dvt", "change": "removed"},
        {"path": ".gitignore", "change": "removed"},
    ]
    listed = cli("op", "log", "--json").document
    assert listed["schema"] == "dvtool/op-log/1"
    assert [(one["id"], one["state"], one["undoes"], one["undone_by"]) for one in listed["operations"]] == [
        (3, "done", [2], []),
        (2, "done", [], [3]),
        (1, "done", [], []),
    ]


def test_what_makes_no_sense_is_a_usage_error(cli: CommandLine) -> None:
    assert cli("undo", "--to", "77").code == 2
    assert cli("undo", "--to", "x").code == 2
    assert cli("undo", "--to", "2").code == 2
    assert cli("op").code == 2


def test_reading_verbs_leave_the_log_alone(cli: CommandLine) -> None:
    before = log(cli)
    for argv in (
        ["status"],
        ["list"],
        ["diff"],
        ["doctor"],
        ["recover"],
        ["undo", "--dry-run"],
        ["checkout", "--dry-run"],
    ):
        cli(*argv)
    assert log(cli) == before

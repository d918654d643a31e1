"""Work on a part of a dataset, or on top of a colleague's version, records what the user changed and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project


@pytest.fixture
def origin(tmp_path: Path) -> CommandLine:
    """A project with ``data/a/1..5`` and ``data/b/1..5``, pushed to a directory."""
    cli = git_project(tmp_path / "origin")
    cli.done("remote", "add", "-d", "origin", str(tmp_path / "remote"))
    for folder in ("a", "b"):
        (cli.at / "data" / folder).mkdir(parents=True)
        for number in range(1, 6):
            (cli.at / "data" / folder / str(number)).write_text(f"{folder}{number}")
    cli.done("add", "data")
    git(cli, "add", "--all")
    git(cli, "commit", "--quiet", "--message=v1")
    cli.done("push")
    return cli


@pytest.fixture
def clone(origin: CommandLine, tmp_path: Path) -> CommandLine:
    place = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", origin.at, place], check=True)
    return CommandLine(place)


def git(cli: CommandLine, *argv: str) -> None:
    subprocess.run(["git", *argv], cwd=cli.at, check=True, capture_output=True)


def recorded(cli: CommandLine) -> list[str]:
    return cli.done("list", "-R", "data", "--tracked").split()


def state(cli: CommandLine) -> dict[str, list[tuple[str, str, int]]]:
    document = cli("status", "--json").document
    return {
        name: [(each["change"], each["path"], each["files"]) for each in document[name]]
        for name in ("workspace", "missing")
    }


def all_files(*more: str) -> list[str]:
    return sorted([f"{folder}/{number}" for folder in "ab" for number in range(1, 6)] + list(more))


def test_what_was_never_pulled_is_not_deleted(clone: CommandLine) -> None:
    clone.done("pull", "data/a")
    assert state(clone) == {"workspace": [], "missing": [("missing", "data", 5)]}
    before = (clone.at / "data.dvt").read_bytes()
    for words in (("add", "data"), ("commit",)):
        clone.done(*words)
        assert (clone.at / "data.dvt").read_bytes() == before


def test_changes_in_the_part_that_is_here_are_recorded_on_top_of_the_rest(clone: CommandLine) -> None:
    clone.done("pull", "data/a")
    (clone.at / "data" / "a" / "3").unlink()
    (clone.at / "data" / "a" / "1").write_text("changed")
    (clone.at / "data" / "b").mkdir()
    (clone.at / "data" / "b" / "new").write_text("new")
    expected = [("modified", "data/a/1", 1), ("deleted", "data/a/3", 1), ("added", "data/b/new", 1)]
    assert state(clone)["workspace"] == expected
    clone.done("add", "data")
    wanted = all_files("b/new")
    wanted.remove("a/3")
    assert recorded(clone) == wanted
    assert state(clone)["workspace"] == []
    clone.done("push")
    clone.done("pull")
    assert (clone.at / "data" / "b" / "5").read_text() == "b5"
    assert not (clone.at / "data" / "a" / "3").exists()


def test_adding_one_file_where_nothing_was_pulled(clone: CommandLine) -> None:
    (clone.at / "data").mkdir()
    (clone.at / "data" / "new").write_text("new")
    clone.done("add", "data/new")
    assert recorded(clone) == all_files("new")
    assert state(clone)["workspace"] == []
    clone.done("add", "data")
    assert recorded(clone) == all_files("new")


def test_force_records_the_directory_as_it_stands(clone: CommandLine) -> None:
    clone.done("pull", "data/a")
    clone.done("add", "--force", "data")
    assert recorded(clone) == [f"a/{number}" for number in range(1, 6)]


def test_add_on_top_of_a_colleagues_version_gives_both_changes(origin: CommandLine, clone: CommandLine) -> None:
    clone.done("pull")
    (origin.at / "data" / "a" / "6").write_text("a6")
    (origin.at / "data" / "b" / "2").unlink()
    (origin.at / "data" / "b" / "3").write_text("theirs")
    origin.done("add", "data")
    git(origin, "commit", "--quiet", "--all", "--message=v2")
    origin.done("push")
    git(clone, "pull", "--quiet")
    (clone.at / "data" / "a" / "1").write_text("mine")
    assert state(clone) == {"workspace": [("modified", "data/a/1", 1)], "missing": [("outdated", "data", 10)]}
    clone.done("add", "data")
    wanted = all_files("a/6")
    wanted.remove("b/2")
    assert recorded(clone) == wanted
    assert state(clone)["workspace"] == []
    clone.done("pull")
    assert (clone.at / "data" / "a" / "1").read_text() == "mine"
    assert (clone.at / "data" / "b" / "3").read_text() == "theirs"
    assert not (clone.at / "data" / "b" / "2").exists()


def test_a_version_not_checked_out_is_said_and_not_recorded(origin: CommandLine) -> None:
    git(origin, "tag", "v1")
    (origin.at / "data" / "a" / "1").write_text("second")
    origin.done("add", "data")
    git(origin, "commit", "--quiet", "--all", "--message=v2")
    git(origin, "checkout", "--quiet", "v1")
    before = (origin.at / "data.dvt").read_bytes()
    assert state(origin) == {"workspace": [], "missing": [("outdated", "data/a/1", 1)]}
    origin.done("add", "data")
    assert (origin.at / "data.dvt").read_bytes() == before
    origin.done("add", "--force", "data")
    assert (origin.at / "data.dvt").read_bytes() != before


def test_without_the_memo_nothing_counts_as_deleted(clone: CommandLine) -> None:
    clone.done("pull", "data/a")
    for memo in (clone.at / ".git" / "dvtool").glob("memo.sqlite*"):
        memo.unlink()
    (clone.at / "data" / "a" / "2").unlink()
    assert state(clone) == {"workspace": [], "missing": [("missing", "data", 6)]}
    clone.done("add", "data")
    assert recorded(clone) == all_files()
    clone.done("add", "data/a/2")
    wanted = all_files()
    wanted.remove("a/2")
    assert recorded(clone) == wanted


def test_a_removed_directory_goes_and_a_file_may_become_one(origin: CommandLine) -> None:
    import shutil

    git(origin, "tag", "v1")
    (origin.at / "data" / "c").write_text("c")
    origin.done("add", "data")
    git(origin, "commit", "--quiet", "--all", "--message=v2")
    git(origin, "checkout", "--quiet", "v1")
    shutil.rmtree(origin.at / "data" / "b")
    (origin.at / "data" / "a" / "1").unlink()
    (origin.at / "data" / "a" / "1").mkdir()
    (origin.at / "data" / "a" / "1" / "x").write_text("x")
    origin.done("add", "data")
    assert recorded(origin) == ["a/1/x", "a/2", "a/3", "a/4", "a/5"]
    assert "b" not in origin.done("list", "data", "--tracked").split()

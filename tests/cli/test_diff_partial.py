"""In a partial clone, what was never placed is no deletion to `diff`, as it is none to `status`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.trees import Node
from tests.support.trees import create_tree


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    """A clone in which a part of the data was pulled."""
    first = git_project(tmp_path / "first")
    cats: dict[str, Node] = {"1": "c1", "2": "c2", "deep": {"3": "c3"}}
    create_tree(first.at, {"data": {"cats": cats, "dogs": {"1": "d1"}, "a": "a", "b": "b"}})
    first.done("add", "data")
    (tmp_path / "origin").mkdir()
    first.done("remote", "add", "-d", "origin", str(tmp_path / "origin"))
    subprocess.run("git add -A && git commit -qm v1", shell=True, cwd=first.at, check=True)
    first.done("push", "-q")
    subprocess.run(["git", "clone", "-q", str(first.at), str(tmp_path / "part")], check=True)
    part = CommandLine(tmp_path / "part")
    part.done("pull", "data/cats", "data/a")
    return part


def changes(cli: CommandLine, *argv: str) -> dict[str, list[str]]:
    document = cli("diff", "--json", *argv).document
    return {
        kind: [item["path"] for item in document[kind]]
        for kind in ("added", "deleted", "modified", "renamed")
        if document[kind]
    }


def test_nothing_was_changed(cli: CommandLine) -> None:
    assert changes(cli) == {}
    assert changes(cli, "--targets", "data/cats") == {}


def test_only_what_the_user_did(cli: CommandLine) -> None:
    (cli.at / "data/a").unlink()
    (cli.at / "data/cats/1").write_text("changed")
    (cli.at / "data/cats/deep/3").unlink()
    (cli.at / "data/cats/deep").rmdir()
    (cli.at / "data/dogs").mkdir()
    (cli.at / "data/dogs/2").write_text("new")
    expected = {
        "added": ["data/dogs/2"],
        "deleted": ["data/a", "data/cats/deep/3"],
        "modified": ["data/cats/1"],
    }
    found = changes(cli)
    assert {kind: [path.removesuffix("/") for path in paths] for kind, paths in found.items()} == expected
    difference = cli("status", "--json").document["workspace"]
    assert sorted(item["path"] for item in difference) == sorted(path for paths in expected.values() for path in paths)


def test_a_deletion_in_a_directory_of_which_the_rest_was_never_here(cli: CommandLine) -> None:
    cli.done("pull", "data/dogs/1")
    (cli.at / "data/dogs/1").unlink()
    (cli.at / "data/dogs").rmdir()
    assert [path.rstrip("/") for path in changes(cli)["deleted"]] == ["data/dogs/1"]


def test_what_was_dropped_is_no_deletion(cli: CommandLine) -> None:
    cli.done("drop", "data/cats")
    assert changes(cli) == {}

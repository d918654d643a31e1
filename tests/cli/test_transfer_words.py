"""What pull and fetch say: sizes before, each missing path once, unknown revisions by name."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from dvtool.errors import UsageError
from dvtool.project.history import tracked_at
from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.datasets import content
from tests.support.trees import create_tree
from tests.support.workbench import Workbench


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    """A project whose data is on a remote and not here."""
    cli = git_project(tmp_path / "repo")
    create_tree(cli.at, {"data": {"a": "one", "b": content("b", 200_000)}, "f": content("f", 5_000_000)})
    cli.done("add", "data", "f")
    (tmp_path / "origin").mkdir()
    cli.done("remote", "add", "-d", "origin", str(tmp_path / "origin"))
    cli.done("push", "-q")
    shutil.rmtree(cli.at / ".git/dvtool/cache")
    shutil.rmtree(cli.at / "data")
    (cli.at / "f").unlink()
    return cli


def test_a_dry_run_says_how_much_would_come(cli: CommandLine) -> None:
    assert cli.done("pull", "--dry-run") == "would fetch 3 objects (5.2 MB at most)\n"
    assert cli("fetch", "--dry-run", "data", "--json").document["plain_bytes"] == 200_003
    assert cli("fetch", "--json").document["plain_bytes"] is None


def test_each_missing_path_is_listed_once(cli: CommandLine, tmp_path: Path) -> None:
    for pack in (tmp_path / "origin/data").rglob("*-*"):
        pack.unlink()
    ran = cli("pull")
    assert ran.code == 4
    said = ran.out + ran.err
    assert [said.count(path) for path in ("data/a is not", "data/b is not", " f is not")] == [1, 1, 1]
    allowed = cli("pull", "--allow-missing")
    assert (allowed.code, "data/a" in allowed.out) == (0, True)
    assert len(cli("pull", "--json").document["checkout"]["missing"]) == 3


def test_an_unknown_revision_is_named(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "bench")
    with pytest.raises(UsageError, match="there is no revision 'nowhere'"):
        tracked_at(bench.project, "nowhere")
    subprocess.run(["git", "tag", "v1"], cwd=bench.root, check=True)
    assert len(tracked_at(bench.project, "v1")) == 0

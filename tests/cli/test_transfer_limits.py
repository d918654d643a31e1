"""What push, fetch and pull are told to leave out, and how fast they may be; what a remote is rid of."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from dvtool.project.environment import Environment
from dvtool.project.open import open_project
from dvtool.project.parts import open_remote_of
from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.datasets import content
from tests.support.trees import create_tree

FILES: dict[str, Any] = {
    "data": {"a.jpg": content("a", 1000), "B.JPG": content("b", 300_000), "notes.txt": "n", "deep": {"c.csv": "1,2"}},
    "f.bin": content("f", 5_000_000),
}


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    """A project whose data is on a remote and not here."""
    cli = git_project(tmp_path / "repo")
    create_tree(cli.at, FILES)
    cli.done("add", "data", "f.bin")
    (tmp_path / "origin").mkdir()
    cli.done("remote", "add", "-d", "origin", str(tmp_path / "origin"))
    cli.done("push", "-q")
    shutil.rmtree(cli.at / ".git/dvtool/cache")
    shutil.rmtree(cli.at / "data")
    (cli.at / "f.bin").unlink()
    return cli


def names(cli: CommandLine) -> set[str]:
    return {path.name for path in cli.at.rglob("*") if path.suffix in {".jpg", ".JPG", ".txt", ".csv", ".bin"}}


def test_small_files_first_the_rest_later(cli: CommandLine) -> None:
    ran = cli("pull", "--max-size", "10k")
    assert (ran.code, ran.err) == (0, "")
    assert "left out, as asked: 2 files (5.3 MB)" in ran.out
    assert "missing" not in ran.out
    assert names(cli) == {"a.jpg", "notes.txt", "c.csv"}
    assert cli("pull").code == 0
    assert names(cli) == {"a.jpg", "B.JPG", "notes.txt", "c.csv", "f.bin"}


def test_only_files_of_a_kind(cli: CommandLine) -> None:
    cli.done("pull", "--type", "jpg,.csv", "--max-size", "100k")
    assert {"a.jpg", "c.csv"} <= names(cli) <= {"a.jpg", "c.csv", "notes.txt"}, "a pack brings its neighbours"
    cli.done("pull", "--type", "JPG")
    assert {"a.jpg", "c.csv", "B.JPG"} <= names(cli) <= {"a.jpg", "c.csv", "B.JPG", "notes.txt"}


def test_what_would_come_is_counted_likewise(cli: CommandLine) -> None:
    got = cli("fetch", "--dry-run", "--json", "--type", "jpg").document
    assert (got["objects"], got["left_out"]) == (2, {"files": 3, "bytes": 5_000_004})


@pytest.mark.parametrize(
    "argv",
    [("--max-size", "much"), ("--max-size", "0"), ("--limit-rate", "fast"), ("--type", "a/b"), ("--type", ".")],
)
def test_nonsense_is_refused(cli: CommandLine, argv: tuple[str, str]) -> None:
    ran = cli("pull", *argv)
    assert ran.code == 2
    assert argv[0] in ran.err


def test_the_rate_of_the_flag_is_stronger_than_the_settings(cli: CommandLine) -> None:
    def block(overrides: dict[str, str]) -> int:
        world = Environment(dict(os.environ), os.fsencode(os.environ["HOME"]), os.fsencode(cli.at))
        project = open_project(os.fsencode(cli.at), world, overrides)
        return open_remote_of(project).meter.block  # type: ignore[attr-defined, no-any-return]

    usual = block({})
    cli.done("config", "core.bandwidth", "800k")
    assert block({}) == 100_000 < usual
    cli.done("config", "remote.origin.bandwidth", "400k")
    assert block({}) == 50_000
    assert block({"core.bandwidth": "80k"}) == 10_000
    assert cli("pull", "--limit-rate", "100M").code == 0


def test_a_wrong_rate_in_the_settings_is_told(cli: CommandLine) -> None:
    ran = cli("config", "remote.origin.bandwidth", "fast")
    assert ran.code == 9
    assert "such as 500k" in ran.err


def test_old_unfinished_uploads_go(cli: CommandLine, tmp_path: Path) -> None:
    tmp = tmp_path / "origin/tmp"
    for name, age in ((".dvtool-tmp-0123456789abcdef", 1_000_000), (".dvtool-tmp-fedcba9876543210", 0)):
        (tmp / name).write_bytes(bytes(1000))
        if age:
            os.utime(tmp / name, (age, age))
    (tmp / "not-ours").write_bytes(b"x")
    os.utime(tmp / "not-ours", (1, 1))
    before = cli("remote", "cleanup", "--dry-run", "--json").document
    assert (before["dry_run"], [item["bytes"] for item in before["removed"]], len(before["kept"])) == (True, [1000], 1)
    assert "would remove 1 unfinished upload (1.0 kB)" in cli.done("remote", "cleanup", "origin", "--dry-run")
    said = cli.done("remote", "cleanup", "origin")
    assert "removed 1 unfinished upload (1.0 kB) on origin" in said
    assert "left 1 younger one" in said
    assert {path.name for path in tmp.iterdir()} == {".dvtool-tmp-fedcba9876543210", "not-ours"}
    assert cli.done("remote", "cleanup", "--older-than", "0").startswith("removed 1 ")
    assert cli.done("remote", "cleanup").startswith("nothing to clean up on origin")
    assert cli("pull").code == 0

"""``dvtool gc --cloud`` at the prompt, with two clones of one repository and a directory remote."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.cloudgc import age
from tests.support.datasets import packs_of
from tests.support.datasets import remote_files


def git(cli: CommandLine, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=cli.at, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "remote").mkdir()
    return tmp_path / "remote"


@pytest.fixture
def cli(tmp_path: Path, folder: Path) -> CommandLine:
    """Two versions of a directory, each pushed after its commit; the second shares one file with the first."""
    project = git_project(tmp_path / "project")
    project.done("remote", "add", "-d", "origin", str(folder))
    (project.at / "d").mkdir()
    for number in (1, 2):
        for name in ("a", "b", "c"):
            (project.at / "d" / name).write_text(f"{name} {number if name != 'a' else ''}\n" * 500)
        (project.at / "big").write_text(f"{number}" * 150_000)
        project.done("add", "-q", "d", "big")
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", f"version {number}")
        project.done("push")
    return project


@pytest.fixture
def clone(cli: CommandLine, tmp_path: Path) -> CommandLine:
    """A colleague's."""
    git(cli, "clone", "-q", ".", str(tmp_path / "clone"))
    return CommandLine(tmp_path / "clone")


def test_it_wants_to_know_what_to_keep(cli: CommandLine) -> None:
    ran = cli("gc", "--cloud")
    assert ran.code == 2
    assert "say what to keep" in ran.err
    assert cli("gc", "--cloud", "-w").code == 2
    assert "--dry-run" in cli("gc", "--cloud", "-w").err
    for option in (["--no-trash"], ["--min-copies", "1"], ["-r", "a", "-r", "b"]):
        assert cli("gc", "--cloud", "-w", "-f", *option).code == 2
    assert cli("gc", "-w", "-f", "--expire-unknown", "90d").code == 2


def test_what_is_new_stays(cli: CommandLine, folder: Path) -> None:
    before = remote_files(folder)
    ran = cli("gc", "--cloud", "-w", "-f")
    assert ran.code == 0
    assert "nothing to collect on origin" in ran.out + ran.err
    assert "; what others have pushed, and you in the last 30d" in ran.out + ran.err
    assert remote_files(folder) == before


def test_the_dry_run_equals_the_real_run(cli: CommandLine, folder: Path) -> None:
    before = remote_files(folder)
    planned = cli("gc", "--cloud", "-w", "--grace", "0", "--dry-run", "--json").document
    assert remote_files(folder) == before
    assert planned["schema"] == "dvtool/gc-cloud/1"
    assert [item["path"] for item in planned["objects"] if item["kind"] == "file"] == ["big", "d/b", "d/c"]
    assert {item["commit"] for item in planned["objects"]} == {git(cli, "rev-parse", "HEAD~1")}
    assert planned["bytes_freed"] > 0
    done = cli("gc", "--cloud", "-w", "--grace", "0", "--force", "--json").document
    assert done == {**planned, "done": True}
    assert cli("gc", "--cloud", "-w", "--grace", "0", "--dry-run", "--json").document["objects"] == []


def test_doomed_now_deleted_after_the_grace(cli: CommandLine, clone: CommandLine, folder: Path) -> None:
    age(folder, 31)
    ran = cli("gc", "--cloud", "-w", "-f")
    assert "doomed" in ran.out + ran.err
    assert "dvtool undo" in ran.out + ran.err
    packs = packs_of(folder)
    age(folder, 15)
    ran = cli("gc", "--cloud", "-w", "-f")
    assert "deleted now" in ran.out + ran.err
    assert len(packs_of(folder)) < len(packs)
    ran = cli("undo")
    assert ran.code == 1, "it must not take back what came before the collection"
    assert "(gc --cloud) is not undone: what was doomed before was deleted" in ran.err
    clone.done("pull")
    assert (clone.at / "d/b").read_text().startswith("b 2")
    git(clone, "checkout", "-q", "HEAD~1")
    assert clone("pull").code == 4


def test_undo_takes_it_back(cli: CommandLine, clone: CommandLine, folder: Path) -> None:
    age(folder, 31)
    cli.done("gc", "--cloud", "-w", "-f")
    assert "dvtool undo" not in cli.done("undo"), "an undone collection cannot be brought back"
    for _ in range(2):
        age(folder, 15)
        clone.done("gc", "--cloud", "--all-commits", "-f")
    git(clone, "checkout", "-q", "HEAD~1")
    clone.done("pull")
    assert (clone.at / "d/b").read_text().startswith("b 1")


def test_what_a_colleague_pushed_is_kept(cli: CommandLine, clone: CommandLine, folder: Path, tmp_path: Path) -> None:
    clone.done("pull")
    (clone.at / "d/new").write_text("theirs\n" * 1_000)
    clone.done("add", "d")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "theirs")
    clone.done("push")
    age(folder, 400)
    for _ in range(2):
        cli.done("gc", "--cloud", "-w", "-f")
        age(folder, 15)
    git(clone, "clone", "-q", ".", str(tmp_path / "third"))
    third = CommandLine(tmp_path / "third")
    third.done("pull")
    assert (third.at / "d/new").exists()


def test_it_names_what_is_missing(cli: CommandLine, folder: Path) -> None:
    for key in packs_of(folder):
        if key.startswith("data/"):
            (folder / key).unlink()
    ran = cli("gc", "--cloud", "--all-commits", "--dry-run")
    assert ran.code == 0
    assert "which is not there" in ran.out
    assert cli("gc", "--cloud", "--all-commits", "--dry-run", "--json").document["missing_objects"] > 0

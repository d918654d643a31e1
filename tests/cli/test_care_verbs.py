"""commit, move, remove, unprotect, recover, doctor --rebuild and add -o on the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.trees import create_tree


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    """A project that tracks the directory ``data`` and the file ``f``."""
    cli = git_project(tmp_path / "repo")
    create_tree(cli.at, {"data": {"a": "one", "b": "two"}, "f": "three"})
    cli.done("add", "data", "f")
    return cli


def test_commit(cli: CommandLine) -> None:
    assert cli.done("commit") == "nothing to record: 2 tracked paths unchanged\n"
    (cli.at / "f").write_text("changed")
    shutil.rmtree(cli.at / "data")
    assert cli.done("commit", "-f").splitlines() == [
        "f: 7 B",
        "not in the worktree, so their pointers stay (`dvtool pull`):",
        "  data",
        "next: git add f.dvt",
    ]
    document = cli("commit", "--json").document
    assert (document["schema"], document["missing"]) == ("dvtool/commit/1", [{"path": "data"}])


def test_move(cli: CommandLine) -> None:
    assert cli.done("mv", "data/a", "data/c") == "data/a -> data/c\nnext: git add data.dvt\n"
    document = cli("move", "f", "deep/g", "--json").document
    assert (document["schema"], document["source"], document["target"]) == ("dvtool/move/1", "f", "deep/g")
    assert [item["path"] for item in document["git_files"]] == [".gitignore", "deep/.gitignore", "deep/g.dvt"]
    ran = cli("move", "data", "deep/g")
    assert (ran.code, ran.out) == (2, "")
    assert "error: deep/g is there already, and nothing is replaced" in ran.err
    (cli.at / "deep/g").unlink()
    assert "(its data is not in the worktree)" in cli.done("move", "deep/g", "g")


def test_remove(cli: CommandLine) -> None:
    assert cli.done("rm", "f").splitlines()[0] == "f: not tracked any more"
    assert (cli.at / "f").exists()
    (cli.at / "data/a").write_text("changed")
    ran = cli("remove", "--outs", "data")
    assert (ran.code, ran.out) == (1, "")
    assert "data/a (modified)" in ran.err and "hint: " in ran.err
    document = cli("remove", "--outs", "--force", "data", "--json").document
    assert (document["files_removed"], document["replaced_kept"]) == (2, [{"path": "data/a"}])
    assert cli("remove", "data").code == 2


def test_recover(cli: CommandLine) -> None:
    assert cli.done("recover") == "nothing to recover: the cache holds nothing that is not named\n"
    (cli.at / "data/a").write_text("changed")
    cli.done("checkout", "--force")
    line, hint = cli.done("recover").splitlines()
    assert line.endswith("  7 B  data/a  (replaced by force)") and "dvtool recover DIGEST" in hint
    ran = cli("recover", "data/a")
    assert (ran.code, "choose another place" in ran.err) == (2, True)
    assert cli.done("recover", "data/a", "-o", "mine").endswith("/mine: 7 B\n")
    assert (cli.at / "mine").read_text() == "changed"
    (item,) = cli("recover", "--json").document["items"]
    assert (item["path"], item["kind"], item["size"]) == ("data/a", "file", 7)
    cli.done("recover", "--all", "found")
    assert [path.read_text() for path in (cli.at / "found").iterdir()] == ["changed"]
    assert cli("recover", "x", "--all", "y").code == 2
    assert cli("recover", "-o", "y").code == 2


def test_unprotect(cli: CommandLine) -> None:
    cli.done("config", "cache.type", "hardlink")
    cli.done("checkout", "--relink")
    assert not (cli.at / "data/a").stat().st_mode & 0o200
    assert cli.done("unprotect", "data").splitlines() == ["2 hard links made writable", "6 B copied"]
    assert cli.done("unprotect", "data") == "nothing to do: the files are private and writable\n"
    document = cli("unprotect", "f", "--json").document
    assert document["files"] == [{"path": "f", "was": "hardlink"}]
    assert cli("unprotect").code == 2


def test_a_damaged_cache(cli: CommandLine) -> None:
    create_tree(cli.at, {"large": b"large" * 60_000})
    cli.done("add", "large")
    (loose,) = (path for path in (cli.at / ".git/dvtool/cache/objects").rglob("*") if path.is_file())
    loose.chmod(0o644)
    loose.write_bytes(b"small" * 60_000)
    (cli.at / "large").unlink()
    ran = cli("checkout")
    assert ran.code == 3
    assert loose.name in ran.err and "dvtool pull" in ran.err
    assert not (cli.at / "large").exists()


def test_doctor_rebuild(cli: CommandLine) -> None:
    first, second, *_ = cli.done("doctor", "--rebuild").splitlines()
    assert first == "index of the cache: 4 objects in 2 packs"
    assert second.startswith("memo of the workspace: 3 files read")
    rebuilt = cli("doctor", "--rebuild", "--json").document["rebuilt"]
    assert (rebuilt["packs"], rebuilt["set_aside"]) == (2, [])
    assert cli("doctor", "--json").document["rebuilt"] is None


def test_add_from_elsewhere(cli: CommandLine, tmp_path: Path) -> None:
    create_tree(tmp_path / "outside", {"x": "1"})
    assert cli.done("add", "-o", "new", "../outside").startswith("new: 1 file, 1 B\n")
    assert (cli.at / "new/x").read_text() == "1"
    # What a killed one has copied is gone on with; what differs is not replaced.
    assert cli.done("add", "-o", "new", "../outside").startswith("new: 1 file, 1 B, unchanged\n")
    create_tree(tmp_path / "outside", {"y": "2"})
    assert cli("add", "-o", "new", "../outside").code == 2
    assert not (cli.at / "new/y").exists()
    assert cli("add", "-o", "two", "../outside", "../outside").code == 2

"""drop: local bytes go only when a remote proves to have them, and come back byte for byte."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dvtool.disk.lock import FileLock
from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.datasets import content
from tests.support.trees import Node
from tests.support.trees import assert_tree
from tests.support.trees import create_tree

DIRECTORY: dict[str, Node] = {
    "a": "one",
    "b": "two",
    "sub": {"c": "three", "same": "shared"},
    "loose": content("loose", 300_000),
}
LARGE = content("large", 5_000_000)


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    """A project that tracks a directory and two files; all of it is on a remote."""
    cli = git_project(tmp_path / "repo")
    create_tree(cli.at, {"data": DIRECTORY, "large": LARGE, "other": "shared"})
    cli.done("add", "data", "large", "other")
    (tmp_path / "origin").mkdir()
    cli.done("remote", "add", "-d", "origin", str(tmp_path / "origin"))
    git(cli, "add", "-A")
    git(cli, "commit", "-qm", "data")
    cli.done("push", "-q")
    return cli


def git(cli: CommandLine, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=cli.at, check=True, capture_output=True, text=True).stdout


def cache_bytes(cli: CommandLine) -> int:
    """Bytes of packs and loose objects."""
    top = Path(cli.done("cache", "dir").strip())
    folders = [top / name for name in ("data", "objects")]
    return sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())


def test_there_and_back(cli: CommandLine) -> None:
    before = cache_bytes(cli)
    out = cli.done("drop", "data", "large")
    assert "dropped data, large: on origin" in out
    assert "1 file (6 B) stay in the cache: needed by other tracked paths of this repository" in out
    assert not (cli.at / "data").exists()
    assert not (cli.at / "large").exists()
    assert cache_bytes(cli) < 5_000 < before
    assert git(cli, "status", "--porcelain") == ""
    cli.done("pull")
    assert_tree(cli.at / "data", DIRECTORY)
    assert (cli.at / "large").read_bytes() == LARGE
    assert cli("status", "--exit-code").code == 0


def test_what_no_remote_has_stays(cli: CommandLine, tmp_path: Path) -> None:
    (cli.at / "data/new").write_text("only here")
    cli.done("add", "data")
    ran = cli("drop", "data")
    assert (ran.code, ran.out) == (4, "")
    assert "nothing was dropped: origin lacks" in ran.err
    assert "hint: dvtool push -r origin" in ran.err
    assert (cli.at / "data/new").read_text() == "only here"
    cli.done("push")
    cli.done("drop", "data")


def test_what_vanished_from_the_remote_stays(cli: CommandLine, tmp_path: Path) -> None:
    pack = next((tmp_path / "origin/data").rglob("*-*"))
    pack.unlink()
    before = cache_bytes(cli)
    assert cli("drop", "data", "large").code == 4
    assert cache_bytes(cli) == before
    assert_tree(cli.at / "data", DIRECTORY)


def test_a_remote_that_cannot_be_asked_proves_nothing(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "origin").rename(tmp_path / "unmounted")
    ran = cli("drop", "data")
    assert ran.code == 7
    assert "nothing was dropped" in ran.err
    assert_tree(cli.at / "data", DIRECTORY)


def test_changes_of_ones_own_refuse(cli: CommandLine) -> None:
    (cli.at / "data/a").write_text("changed")
    ran = cli("drop", "data", "other")
    assert (ran.code, ran.out) == (1, "")
    assert "data/a (modified)" in ran.err
    assert (cli.at / "data/a").read_text() == "changed"
    assert (cli.at / "other").exists()


def test_untracked_files_stay_and_are_no_deletion(cli: CommandLine) -> None:
    (cli.at / "data/mine").write_text("mine")
    out = cli.done("drop", "data")
    assert "left as they are, not tracked:\n  data/mine" in out
    assert_tree(cli.at / "data", {"mine": "mine"})
    cli.done("add", "data")
    cli.done("pull", "data")
    assert_tree(cli.at / "data", {**DIRECTORY, "mine": "mine"})


def test_status_says_where_it_is_and_commit_records_no_deletion(cli: CommandLine) -> None:
    cli.done("drop", "data")
    assert "missing   data  5 files, 300 kB  (dropped, on origin)" in cli.done("status")
    (item,) = cli("status", "--json").document["missing"]
    assert (item["path"], item["why"]) == ("data", "dropped, on origin")
    cli.done("commit")
    assert git(cli, "status", "--porcelain") == ""
    cli.done("pull", "data")
    assert cli("status", "--exit-code").code == 0


def test_a_part_of_a_directory(cli: CommandLine) -> None:
    cli.done("drop", "data/sub")
    assert sorted(os.listdir(cli.at / "data")) == ["a", "b", "loose"]
    assert "(dropped: data/sub, on origin)" in cli.done("status")
    (cli.at / "data/new").write_text("new")
    cli.done("add", "data")
    assert "sub/c" in cli.done("list", "-R", "data")
    cli.done("push")
    cli.done("pull", "data")
    assert_tree(cli.at / "data", {**DIRECTORY, "new": "new"})


def test_again_is_no_failure(cli: CommandLine) -> None:
    cli.done("drop", "data")
    assert "worktree: 0 files (0 B)" in cli.done("drop", "data")


def test_dry_run_changes_nothing(cli: CommandLine) -> None:
    before = cache_bytes(cli)
    out = cli.done("drop", "--dry-run", "data", "large")
    assert out.startswith("would drop data, large: on origin")
    document = cli("drop", "--dry-run", "data", "large", "--json").document
    assert (document["schema"], document["dry_run"]) == ("dvtool/drop/1", True)
    assert (document["files_removed"], document["worktree_bytes"]) == (6, 5_300_017)
    # As they lie there: with the heads of their records.
    assert document["objects_freed"] == 5
    assert 5_300_011 < document["cache_bytes"] < 5_300_100
    assert document["stays"] == [{"who": "other tracked paths of this repository", "files": 1, "bytes": 6}]
    assert cache_bytes(cli) == before
    assert_tree(cli.at / "data", DIRECTORY)
    assert cli("status", "--exit-code").code == 0


def test_more_copies(cli: CommandLine, tmp_path: Path) -> None:
    assert "2 copies are asked for, but only 1 remote is looked at" in cli("drop", "--min-copies", "2", "data").err
    (tmp_path / "backup").mkdir()
    cli.done("remote", "add", "same", str(tmp_path / "origin"))
    ran = cli("drop", "--min-copies", "2", "data", "-v")
    assert ran.code == 4
    assert "1 of 2 whole copies found" in ran.err
    assert "same is the same store as origin" in ran.err or "origin is the same store as same" in ran.err
    cli.done("remote", "add", "backup", str(tmp_path / "backup"))
    assert cli("drop", "--min-copies", "2", "-r", "origin", "-r", "backup", "data").code == 4
    cli.done("push", "-r", "backup")
    document = cli("drop", "--min-copies", "2", "-r", "origin", "-r", "backup", "data", "--json").document
    assert document["remotes"] == ["origin", "backup"]
    assert cli("drop", "--min-copies", "0", "data").code == 2


def test_the_remotes_promise_to_keep_it(cli: CommandLine, tmp_path: Path) -> None:
    for record in (tmp_path / "origin/roots").rglob("*-*"):
        record.unlink()
    cli.done("drop", "data")
    assert [path for path in (tmp_path / "origin/roots").rglob("*") if path.is_file()]


def test_another_worktree_keeps_what_it_needs(cli: CommandLine, tmp_path: Path) -> None:
    git(cli, "worktree", "add", "-q", str(tmp_path / "linked"))
    linked = CommandLine(tmp_path / "linked")
    out = cli.done("drop", "data")
    assert "4 files (300 kB) stay in the cache: needed by another worktree of this repository" in out
    linked.done("checkout")
    assert_tree(linked.at / "data", DIRECTORY)


def test_a_command_in_another_worktree_keeps_it_out(cli: CommandLine, tmp_path: Path) -> None:
    git(cli, "worktree", "add", "-q", str(tmp_path / "linked"))
    CommandLine(tmp_path / "linked").done("status")
    state = next((cli.at / ".git/worktrees").glob("*/dvtool"))
    with FileLock(os.fsencode(state / "lock")).acquire(shared=False, what="dvtool add"):
        ran = cli("drop", "--no-wait", "data")
    assert ran.code == 5
    assert "dvtool add" in ran.err
    assert (cli.at / "data/a").exists()


def test_another_repository_on_a_shared_cache_keeps_what_it_needs(tmp_path: Path) -> None:
    first, second = (git_project(tmp_path / name) for name in ("first", "second"))
    (tmp_path / "origin").mkdir()
    for cli in (first, second):
        cli.done("cache", "dir", str(tmp_path / "cache"))
        cli.done("remote", "add", "-d", "origin", str(tmp_path / "origin"))
        create_tree(cli.at, {"data": {"a": "one", "b": content("b", 200_000)}})
        cli.done("add", "data")
    first.done("push")
    out = first.done("drop", "data")
    assert "2 files (200 kB) stay in the cache: needed by another workspace that shares the cache" in out
    (second.at / "data/b").unlink()
    second.done("checkout", "--force", "data")
    assert_tree(second.at / "data", {"a": "one", "b": content("b", 200_000)})


def test_an_unreadable_pointer_stops_it(cli: CommandLine) -> None:
    (cli.at / "other.dvt").write_text("")
    before = cache_bytes(cli)
    assert cli("drop", "data").code == 9
    assert cache_bytes(cli) == before


def test_small_files_of_a_pack_that_is_needed_go_all_the_same(cli: CommandLine) -> None:
    cache = Path(cli.done("cache", "dir").strip())
    (cli.at / "many").mkdir()
    for number in range(200):
        (cli.at / f"many/{number}").write_bytes(content(number, 5_000))
    (cli.at / "beside").write_bytes(content("beside", 5_000))
    cli.done("add", "many", "beside")
    cli.done("push")
    before = cache_bytes(cli)
    cli.done("drop", "many")
    assert before - cache_bytes(cli) > 900_000
    (cli.at / "beside").unlink()
    cli.done("checkout", "beside")
    assert (cli.at / "beside").read_bytes() == content("beside", 5_000)
    assert not list((cache / "tmp").iterdir())


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_linked_files(cli: CommandLine, link: str) -> None:
    cli.done("config", "cache.type", link)
    cli.done("checkout", "--relink")
    cli.done("drop", "data", "large")
    assert not (cli.at / "data").exists()
    assert (cli.at / "other").read_text() == "shared"
    cli.done("pull")
    assert (cli.at / "data/sub/c").read_text() == "three"
    assert (cli.at / "data/loose").read_bytes() == content("loose", 300_000)


def test_what_is_asked(cli: CommandLine) -> None:
    assert cli("drop").code == 2
    assert "is not tracked" in cli("drop", "src").err
    assert "is not in the tracked directory" in cli("drop", "data/nothing").err


def test_undo_fetches_what_was_dropped(cli: CommandLine, tmp_path: Path) -> None:
    cli.done("drop", "data")
    (tmp_path / "origin").rename(tmp_path / "unmounted")
    assert cli("undo").code == 7
    (tmp_path / "unmounted").rename(tmp_path / "origin")
    cli.done("undo")
    assert_tree(cli.at / "data", DIRECTORY)
    assert cli("status", "--exit-code").code == 0


def test_to_fsck_it_is_a_note_until_it_is_here_again(cli: CommandLine) -> None:
    cli.done("drop", "data/sub", "large")
    document = cli("fsck", "--json").document
    assert {(item["kind"], item["affected"]) for item in document["findings"]} == {("dropped", 1)}
    assert cli("fsck").code == 0
    cli.done("pull")
    for path in (Path(cli.done("cache", "dir").strip()) / "objects").rglob("*"):
        if path.is_file():
            path.unlink()
    assert cli("fsck").code == 4


def test_adding_what_was_dropped_records_no_deletion(cli: CommandLine) -> None:
    for dropped in ("data/sub", "data"):
        cli.done("drop", dropped)
        for path in ("data/sub", "data/sub/c"):
            ran = cli("add", path)
            assert ran.code == 4
            assert "is not here because it was dropped" in ran.err
    assert git(cli, "status", "--porcelain") == ""
    cli.done("pull", "data/sub")
    (cli.at / "data/sub/same").unlink()
    cli.done("add", "data/sub/same")
    assert "sub/same" not in cli.done("list", "-R", "data")
    (cli.at / "data/sub/c").unlink()
    cli.done("add", "--force", "data/sub/c")
    assert "sub/c" not in cli.done("list", "-R", "data")

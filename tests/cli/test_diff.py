"""diff: argv to text, Markdown, JSON and exit codes, in real Git repositories."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.datarepo import DataRepo
from tests.support.datarepo import edit
from tests.support.datarepo import pushed_clone


def told(document: Any) -> dict[str, list[Any]]:
    return {
        "added": [one["path"] for one in document["added"]],
        "deleted": [one["path"] for one in document["deleted"]],
        "modified": [one["path"] for one in document["modified"]],
        "renamed": [(one["old_path"], one["path"]) for one in document["renamed"]],
    }


EDITED = {
    "added": ["data/new"],
    "deleted": ["data/lnk"],
    "modified": ["data/a.txt", "data/run"],
    "renamed": [
        ("data/img/1.png", "data/one.png"),
        ("data/img/2.png", "data/pictures/2.png"),
        ("data/img/deep", "data/pictures/deep"),
    ],
}
NOTHING: dict[str, list[Any]] = {"added": [], "deleted": [], "modified": [], "renamed": []}


def test_diff_of_the_worktree(repo: DataRepo) -> None:
    assert repo.cli.done("diff") == "no differences\n"
    edit(repo)
    assert told(repo.json("diff")) == EDITED
    repo.add("data")
    assert told(repo.json("diff")) == EDITED
    repo.commit("second")
    assert told(repo.json("diff")) == NOTHING
    assert told(repo.json("diff", "v1")) == EDITED


@pytest.mark.parametrize("words", [("v1", "HEAD"), ("v1..HEAD",), ("v1..",), ("v1...HEAD",)])
def test_diff_of_two_revisions_needs_no_data(repo: DataRepo, words: tuple[str, ...]) -> None:
    edit(repo)
    repo.add("data")
    repo.commit("second")
    shutil.rmtree(repo.at / "data")
    assert told(repo.json("diff", *words)) == EDITED


def test_diff_from_where_two_branches_parted(repo: DataRepo) -> None:
    repo.git("switch", "-q", "-c", "side")
    repo.write({"data": {"side": "s"}})
    repo.add("data")
    repo.commit("on the side")
    repo.git("switch", "-q", "main")
    repo.cli.done("checkout", "-q")
    repo.write({"model.bin": "m2"})
    repo.add("model.bin")
    repo.commit("on main")
    assert told(repo.json("diff", "main...side")) == {**NOTHING, "added": ["data/side"]}
    assert told(repo.json("diff", "main..side")) == {**NOTHING, "added": ["data/side"], "modified": ["model.bin"]}


def test_diff_as_text(repo: DataRepo) -> None:
    edit(repo)
    assert repo.cli.done("diff").splitlines() == [
        "Added:",
        "  data/new  1 B",
        "",
        "Deleted:",
        "  data/lnk  3 B",
        "",
        "Modified:",
        "  data/a.txt  4 B -> 8 B",
        "  data/run  10 B, mode +x",
        "",
        "Renamed:",
        "  data/img/1.png -> data/one.png  2 B",
        "  data/img/2.png -> data/pictures/2.png  2 B",
        "  data/img/deep/ -> data/pictures/deep/  1 file, 2 B",
        "",
        "1 added, 1 deleted, 2 modified, 3 renamed (+9 B, -7 B)",
    ]
    assert [line.split() for line in repo.cli.done("diff", "--stat").splitlines()] == [
        ["files", "bytes", "before", "bytes", "after"],
        ["added", "1", "0", "1"],
        ["deleted", "1", "3", "0"],
        ["modified", "2", "14", "18"],
        ["renamed", "3", "6", "6"],
    ]


def test_diff_as_markdown(repo: DataRepo) -> None:
    repo.write({"data": {"new|x": "n", "`": "t"}})
    lines = repo.cli.done("diff", "--md").splitlines()
    assert lines[0] == "**Data: `HEAD` → `worktree`**: 2 added, 0 deleted, 0 modified, 0 renamed (+2 B, -0 B)"
    assert lines[2:] == [
        "| Status | Path | Size |",
        "|---|---|---|",
        "| added | `` data/` `` | 1 B |",
        "| added | `data/new\\|x` | 1 B |",
    ]


def test_a_long_markdown_table_is_cut_where_github_would_refuse_it(repo: DataRepo) -> None:
    repo.write({"data": {"many": {f"{'long' * 30}{n:04}": "" for n in range(600)}}})
    text = repo.cli.done("diff", "--md")
    assert len(text) < 65_536
    shown = text.count("| added |")
    assert text.splitlines()[-1] == f"... and {600 - shown} more"


def test_diff_with_digests(repo: DataRepo) -> None:
    (repo.at / "model.bin").write_text("m2")
    old, new = (
        repo.json("diff")["modified"][0][side]["digest"].removeprefix("blake3:")[:12] for side in ("old", "new")
    )
    assert f"  {old}..{new}  model.bin  2 B\n" in repo.cli.done("diff", "--show-hash")


def test_diff_exit_code(repo: DataRepo) -> None:
    assert repo.cli("diff", "--exit-code").code == 0
    (repo.at / "model.bin").write_text("m2")
    ran = repo.cli("diff", "--exit-code", "-q")
    assert (ran.code, ran.out) == (1, "")
    assert repo.cli("diff").code == 0


@pytest.mark.parametrize(
    ("argv", "modified"),
    [
        (("model.bin",), ["model.bin"]),
        (("v1", "--", "model.bin", "data/a.txt"), ["data/a.txt", "model.bin"]),
        (("--targets", "data/a.txt"), ["data/a.txt"]),
        (("HEAD", "data"), ["data/a.txt", "data/run"]),
        (("data/run",), ["data/run"]),
    ],
)
def test_diff_of_some_paths(repo: DataRepo, argv: tuple[str, ...], modified: list[str]) -> None:
    edit(repo)
    repo.write({"model.bin": "m2"})
    assert told(repo.json("diff", *argv))["modified"] == modified


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("nosuch",), "there is no revision 'nosuch'"),
        (("v1", "nosuch"), "there is no revision 'nosuch'"),
        (("v1", "v1", "nosuch"), "nosuch is tracked on neither side"),
        (("--targets", "src"), "src is tracked on neither side"),
        (("-",), "is not the name of a revision"),
    ],
)
def test_diff_refuses(repo: DataRepo, argv: tuple[str, ...], message: str) -> None:
    ran = repo.cli("diff", *argv)
    assert ran.code in {2, 6}
    assert message in ran.err


def test_a_word_that_is_a_revision_and_a_path(repo: DataRepo) -> None:
    repo.git("branch", "data")
    ran = repo.cli("diff", "data")
    assert ran.code == 2
    assert "data is both a revision and a path" in ran.err
    assert repo.cli.done("diff", "--targets", "data") == "no differences\n"


def test_diff_of_a_path_that_is_gone_now(repo: DataRepo) -> None:
    (repo.at / "model.bin").unlink()
    (repo.at / "model.bin.dvt").unlink()
    assert told(repo.json("diff", "model.bin")) == {**NOTHING, "deleted": ["model.bin"]}


def test_diff_before_the_first_commit(tmp_path: Path) -> None:
    repo = DataRepo(tmp_path / "repo")
    repo.write({"x": "1"})
    repo.add("x")
    assert told(repo.json("diff")) == {**NOTHING, "added": ["x"]}


def test_a_tracked_path_that_moved_with_its_pointer(repo: DataRepo) -> None:
    os.rename(repo.at / "data", repo.at / "raw")
    (repo.at / "data.dvt").unlink()
    repo.add("raw")
    assert told(repo.json("diff")) == {**NOTHING, "renamed": [("data", "raw")]}


def test_what_is_not_in_the_worktree_is_compared_by_its_pointer(repo: DataRepo) -> None:
    edit(repo)
    repo.add("data")
    shutil.rmtree(repo.at / "data")
    document = repo.json("diff")
    assert told(document) == EDITED
    assert document["absent"] == [{"path": "data"}]


def test_diff_without_listings_shows_what_it_can(repo: DataRepo) -> None:
    repo.lose_cache()
    repo.write({"model.bin": "m2", "data": {"new": "n"}})
    ran = repo.cli("diff", "--json")
    assert ran.code == 4
    assert told(ran.document) == {**NOTHING, "modified": ["data", "model.bin"]}
    assert [one["path"] for one in ran.document["unread"]] == ["data"]
    assert "hint: dvtool remote add -d NAME URL, then dvtool fetch" in ran.err


def test_a_clone_without_data_asks_the_remote_for_listings_alone(repo: DataRepo, tmp_path: Path) -> None:
    edit(repo)
    repo.add("data")
    repo.commit("second")
    clone = pushed_clone(repo, tmp_path)
    assert told(clone.json("diff", "v1")) == EDITED
    assert clone.cli.done("list", "-R", "data").splitlines() == [
        "a.txt",
        "empty/",
        "new",
        "one.png",
        "pictures/2.png",
        "pictures/deep/3.png",
        "run",
    ]
    assert not list((clone.at / ".git/dvtool/cache/data").glob("*/*"))

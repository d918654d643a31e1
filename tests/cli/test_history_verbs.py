"""list, log, whereused: argv to text, JSON and exit codes, in real Git repositories."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.datarepo import DataRepo
from tests.support.datarepo import edit
from tests.support.datarepo import pushed_clone
from tests.support.trees import create_tree


@pytest.mark.parametrize("argv", [("list", "-R"), ("diff", "v1"), ("log", "data/a.txt"), ("whereused", "0123456789")])
def test_a_remote_out_of_reach_means_missing_data(repo: DataRepo, tmp_path: Path, argv: tuple[str, ...]) -> None:
    repo.write({"data": {"new": "n"}})
    repo.add("data")
    clone = pushed_clone(repo, tmp_path)
    os.rename(tmp_path / "store", tmp_path / "elsewhere")
    ran = clone.cli(*argv)
    assert ran.code == 4
    assert "is it mounted?" in ran.err


def test_list(repo: DataRepo) -> None:
    assert repo.cli.done("list").splitlines() == [
        ".dvtool/",
        ".dvtoolignore",
        ".gitignore",
        "data/",
        "data.dvt",
        "model.bin",
        "model.bin.dvt",
        "src/",
    ]


@pytest.mark.parametrize(
    ("argv", "lines"),
    [
        (("data",), ["a.txt", "empty/", "img/", "lnk -> img", "run"]),
        (("data/img", "-R"), ["1.png", "2.png", "deep/3.png"]),
        (("data/img/1.png",), ["1.png"]),
        (("model.bin",), ["model.bin"]),
        (("src", "-R"), ["main.py"]),
        (
            ("-R", "--tracked", "-L", "2"),
            ["data/a.txt", "data/empty/", "data/img/", "data/lnk -> img", "data/run", "model.bin"],
        ),
        (("--dvc-only",), ["data/", "model.bin"]),
        (("-T", "data/img"), ["1.png", "2.png", "deep/", "  3.png"]),
        (("-T", "-L", "1", "data/img"), ["1.png", "2.png", "deep/"]),
        (("--size", "data/img"), ["     2 B  1.png", "     2 B  2.png", "     2 B  deep/"]),
        (("--rev", "v1", "-R", "src"), ["main.py"]),
        (("--size", "--rev", "v1", "src"), ["     8 B  main.py"]),
    ],
)
def test_list_of_a_path(repo: DataRepo, argv: tuple[str, ...], lines: list[str]) -> None:
    assert repo.cli.done("ls", *argv).splitlines() == lines
    shutil.rmtree(repo.at / "data")
    assert repo.cli.done("list", *argv).splitlines() == lines


def test_list_from_below(repo: DataRepo) -> None:
    assert repo.cli.below("src").done("list") == "main.py\n"
    assert repo.cli.below("src").done("list", "../data/img/deep") == "3.png\n"


def test_list_at_a_revision(repo: DataRepo) -> None:
    edit(repo)
    repo.add("data")
    repo.commit("second")
    assert repo.cli.done("list", "data").splitlines() == ["a.txt", "empty/", "new", "one.png", "pictures/", "run"]
    assert repo.cli.done("list", "--rev", "v1", "data").splitlines() == ["a.txt", "empty/", "img/", "lnk -> img", "run"]


def test_list_as_json(repo: DataRepo) -> None:
    document = repo.json("list", "-R", "--tracked", "data/img")
    assert document["schema"] == "dvtool/list/1"
    assert [one["path"] for one in document["entries"]] == ["data/img/1.png", "data/img/2.png", "data/img/deep/3.png"]
    first = document["entries"][0]
    assert (first["kind"], first["size"], first["tracked"], first["executable"]) == ("file", 2, True, False)
    assert f"{first['digest'].removeprefix('blake3:')[:12]}  1.png\n" in repo.cli.done(
        "list", "--show-hash", "data/img"
    )
    assert repo.json("list", "--tracked", "src") is not None


def test_list_as_json_with_nothing_in_it(repo: DataRepo) -> None:
    assert repo.json("list", "data/empty") == {"schema": "dvtool/list/1", "entries": [], "unread": []}


@pytest.mark.parametrize(
    "argv", [("nosuch",), ("data/nosuch",), ("model.bin/x",), ("--tracked", "src"), ("--rev", "v1", "x")]
)
def test_list_of_nothing(repo: DataRepo, argv: tuple[str, ...]) -> None:
    ran = repo.cli("list", *argv)
    assert ran.code == 2
    assert "tracks no such path" in ran.err


def test_list_at_an_unknown_revision(repo: DataRepo) -> None:
    ran = repo.cli("list", "--rev", "v11")
    assert ran.code == 2
    assert "there is no revision 'v11'" in ran.err
    assert "did you mean `v1`?" in ran.err


def test_list_without_listings_shows_what_it_can(repo: DataRepo) -> None:
    repo.lose_cache()
    ran = repo.cli("list", "-R", "--tracked")
    assert (ran.code, ran.out) == (4, "data/\nmodel.bin\n")
    assert "data could not be listed: the listing is not in the cache" in ran.err


def test_list_of_a_wide_directory(repo: DataRepo) -> None:
    names = [f"{n:05}" for n in range(1_100)]
    repo.write({"wide": dict.fromkeys(names, "")})
    repo.add("wide")
    assert repo.cli.done("list", "wide").split() == names


def test_names_are_shown_safely_and_kept_exactly(repo: DataRepo) -> None:
    create_tree(repo.at, {"data": {b"bad\xff\x1b": "x"}})
    repo.add("data")
    assert "bad\\xff\\x1b" in repo.cli.done("list", "data")
    odd = next(one for one in repo.json("list", "data")["entries"] if "path_bytes" in one)
    assert odd["path_bytes"] == "ZGF0YS9iYWT/Gw=="
    assert "data/bad\\xff\\x1b" in repo.cli.done("diff")


def history(repo: DataRepo) -> dict[str, str]:
    """Commits: v1, an edit, a rename of the whole, a last edit elsewhere in the directory."""
    commits = {"first": repo.git("rev-parse", "HEAD")}
    repo.write({"data": {"a.txt": "one\ntwo\n"}})
    repo.add("data")
    commits["edit"] = repo.commit("edit a")
    os.rename(repo.at / "data", repo.at / "raw")
    repo.git("mv", "data.dvt", "raw.dvt")
    pointer = repo.at / "raw.dvt"
    pointer.write_text(pointer.read_text().replace("data", "raw"))
    repo.git("rm", "-q", "--cached", ".gitignore")
    (repo.at / ".gitignore").write_text("/raw\n/model.bin\n")
    commits["move"] = repo.commit("move it")
    repo.write({"raw": {"more": "m"}})
    repo.add("raw")
    commits["more"] = repo.commit("add more")
    return commits


def test_log_follows_a_renamed_pointer(repo: DataRepo) -> None:
    commits = history(repo)
    versions = repo.json("log", "raw")["versions"]
    assert [(one["change"], one["path"], one["commit"]) for one in versions] == [
        ("modified", "raw", commits["more"]),
        ("renamed", "raw", commits["move"]),
        ("modified", "data", commits["edit"]),
        ("added", "data", commits["first"]),
    ]
    assert [(one["size"], one["size_before"], one["files"]) for one in versions[:2]] == [(25, 24, 7), (24, 24, 6)]
    lines = repo.cli.done("log", "-n", "1", "raw").splitlines()
    assert lines == [f"{commits['more'][:7]}  2026-01-02  Test  modified  25 B (+1 B)  7 files (+1)  add more"]


def test_log_of_a_path_inside(repo: DataRepo) -> None:
    commits = history(repo)
    shown = [(one["change"], one["commit"]) for one in repo.json("log", "raw/a.txt")["versions"]]
    assert shown == [("renamed", commits["move"]), ("modified", commits["edit"]), ("added", commits["first"])]
    assert [one["commit"] for one in repo.json("log", "raw/more")["versions"]] == [commits["more"]]
    assert [one["commit"] for one in repo.json("log", "--rev", "HEAD~2", "data/a.txt")["versions"]] == [
        commits["edit"],
        commits["first"],
    ]


def test_log_of_a_path_that_is_gone(repo: DataRepo) -> None:
    commits = history(repo)
    versions = repo.json("log", "data/a.txt")["versions"]
    assert [(one["change"], one["commit"]) for one in versions] == [
        ("deleted", commits["move"]),
        ("modified", commits["edit"]),
        ("added", commits["first"]),
    ]
    assert (versions[0]["size"], versions[0]["size_before"]) == (None, 8)


def test_log_of_a_pointer_and_of_a_file(repo: DataRepo) -> None:
    first = repo.git("rev-parse", "--short=7", "HEAD")
    assert repo.cli.done("log", "model.bin.dvt") == repo.cli.done("log", "model.bin")
    assert repo.cli.done("log", "model.bin") == f"{first}  2026-01-02  Test  added  2 B (+2 B)  first\n"


def test_log_refuses(repo: DataRepo) -> None:
    assert "nix was never tracked" in repo.cli("log", "nix").err
    assert repo.cli("log", "src/main.py").code == 2
    assert "there is no revision 'v9'" in repo.cli("log", "--rev", "v9", "data").err
    repo.write({"late": "x"})
    repo.add("late")
    assert "late has no versions at HEAD" in repo.cli("log", "late").err


def test_log_without_listings(repo: DataRepo) -> None:
    history(repo)
    repo.lose_cache()
    assert len(repo.json("log", "raw")["versions"]) == 4
    ran = repo.cli("log", "raw/a.txt")
    assert ran.code == 4
    assert "could not be looked into at every version" in ran.err


def digest_of(repo: DataRepo, path: str) -> str:
    (entry,) = repo.json("list", path)["entries"]
    assert isinstance(entry["digest"], str)
    return entry["digest"]


def test_whereused(repo: DataRepo) -> None:
    digest = digest_of(repo, "data/img/1.png")
    commits = history(repo)
    repo.git("branch", "side", "v1")
    document = repo.json("whereused", digest.removeprefix("blake3:")[:9].upper())
    assert document["digest"] == digest
    by_path = {one["path"]: one for one in document["uses"]}
    assert set(by_path) == {"data/img/1.png", "raw/img/1.png"}
    old, new = by_path["data/img/1.png"], by_path["raw/img/1.png"]
    assert (old["refs"], old["in_worktree"]) == (["side", "v1"], False)
    assert set(old["commits"]) == {commits["first"], commits["edit"]}
    assert (new["refs"], new["in_worktree"]) == (["main"], True)
    assert set(new["commits"]) == {commits["move"], commits["more"]}
    text = repo.cli.done("whereused", digest)
    assert "data/img/1.png\n  in side, v1\n  since " in text


def test_whereused_of_a_directory_and_of_a_tracked_file(repo: DataRepo) -> None:
    tops = {one["path"]: one["digest"] for one in repo.json("list")["entries"]}
    inner = {one["path"]: one["digest"] for one in repo.json("list", "data")["entries"]}
    for path, digest in (*tops.items(), *inner.items()):
        if path in {"data", "model.bin", "data/img"}:
            (use,) = repo.json("whereused", digest)["uses"]
            assert (use["path"], use["kind"]) == (path, "file" if path == "model.bin" else "directory")
            assert (use["refs"], use["in_worktree"]) == (["main", "v1"], True)


def test_whereused_finds_what_only_the_worktree_or_a_stash_names(repo: DataRepo) -> None:
    repo.write({"model.bin": "m2"})
    repo.add("model.bin")
    digest = digest_of(repo, "model.bin")
    (use,) = repo.json("whereused", digest)["uses"]
    assert (use["commits"], use["refs"], use["in_worktree"]) == ([], [], True)
    repo.git("stash", "-q")
    (use,) = repo.json("whereused", digest)["uses"]
    assert (len(use["commits"]), use["refs"], use["in_worktree"]) == (1, [], False)


def test_whereused_nowhere(repo: DataRepo) -> None:
    ran = repo.cli("whereused", "0" * 64)
    assert ran.code == 1
    assert ran.out.startswith("used nowhere")
    assert repo.json("whereused", "blake3:" + "0" * 64)["uses"] == []


@pytest.mark.parametrize("text", ["1234567", "xyz", "blake3:", "crc:12345678", "0" * 65, "../../../etc"])
def test_whereused_refuses(repo: DataRepo, text: str) -> None:
    assert repo.cli("whereused", text).code == 2


def test_whereused_without_listings(repo: DataRepo) -> None:
    inside, alone = digest_of(repo, "data/a.txt"), digest_of(repo, "model.bin")
    repo.lose_cache()
    assert repo.cli("whereused", inside).code == 4
    ran = repo.cli("whereused", alone)
    assert ran.code == 0
    assert "warning: 1 directory could not be searched" in ran.err


@pytest.mark.parametrize("argv", [("diff",), ("log", "x"), ("list", "--rev", "HEAD")])
def test_without_git(tmp_path: Path, argv: tuple[str, ...]) -> None:
    cli = CommandLine(tmp_path)
    cli.done("init", "-q", "--no-scm")
    (tmp_path / "x").write_text("1")
    cli.done("add", "-q", "x")
    ran = cli(*argv)
    assert ran.code == 2
    assert "works without Git" in ran.err
    assert cli.done("list") == "x\n"
    (use,) = cli("whereused", cli("list", "--json").document["entries"][0]["digest"], "--json").document["uses"]
    assert (use["path"], use["in_worktree"]) == ("x", True)

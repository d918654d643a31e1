"""diff, list, log, whereused: argv to text, JSON and exit codes, in real Git repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Node
from tests.support.trees import create_tree

V1: dict[str, Node] = {
    "a.txt": "one\n",
    "empty": {},
    "img": {"1.png": "p1", "2.png": "p2", "deep": {"3.png": "p3"}},
    "lnk": Link("img"),
    "run": "#!/bin/sh\n",
}


class Repo:
    """A project in a Git repository, and the verbs that make versions of its data."""

    def __init__(self, place: Path, cli: CommandLine | None = None) -> None:
        self.at = place
        self.cli = cli or git_project(place)

    def git(self, *args: str) -> str:
        return subprocess.run(["git", *args], cwd=self.at, check=True, capture_output=True, text=True).stdout.strip()

    def write(self, tree: Mapping[str, Node]) -> None:
        create_tree(self.at, tree)

    def add(self, *targets: str) -> None:
        self.cli.done("add", "-q", *targets)

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def lose_cache(self) -> None:
        shutil.rmtree(self.at / ".git/dvtool/cache")

    def json(self, verb: str, *argv: str) -> Any:
        return self.cli(verb, "--json", *argv).document


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """v1: a directory and a file; both tracked and committed."""
    made = Repo(tmp_path_factory.mktemp("template") / "repo")
    made.write({"data": V1, "model.bin": "m1", "src": {"main.py": "print()\n"}})
    made.add("data", "model.bin")
    made.commit("first")
    made.git("tag", "v1")
    return made.at


@pytest.fixture
def repo(template: Path, tmp_path: Path) -> Repo:
    """A copy of the template."""
    shutil.copytree(template, tmp_path / "repo", symlinks=True)
    return Repo(tmp_path / "repo", CommandLine(tmp_path / "repo"))


def edit(repo: Repo) -> None:
    """What makes v2 out of v1: one of everything."""
    data = repo.at / "data"
    os.rename(data / "img", data / "pictures")
    os.rename(data / "pictures/1.png", data / "one.png")
    (data / "a.txt").write_text("one\ntwo\n")
    (data / "run").unlink()
    repo.write({"data": {"run": Executable("#!/bin/sh\n"), "new": "n"}})
    (data / "lnk").unlink()


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


def test_diff_of_the_worktree(repo: Repo) -> None:
    assert repo.cli.done("diff") == "no differences\n"
    edit(repo)
    assert told(repo.json("diff")) == EDITED
    repo.add("data")
    assert told(repo.json("diff")) == EDITED
    repo.commit("second")
    assert told(repo.json("diff")) == NOTHING
    assert told(repo.json("diff", "v1")) == EDITED


@pytest.mark.parametrize("words", [("v1", "HEAD"), ("v1..HEAD",), ("v1..",), ("v1...HEAD",)])
def test_diff_of_two_revisions_needs_no_data(repo: Repo, words: tuple[str, ...]) -> None:
    edit(repo)
    repo.add("data")
    repo.commit("second")
    shutil.rmtree(repo.at / "data")
    assert told(repo.json("diff", *words)) == EDITED


def test_diff_from_where_two_branches_parted(repo: Repo) -> None:
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


def test_diff_as_text(repo: Repo) -> None:
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


def test_diff_as_markdown(repo: Repo) -> None:
    repo.write({"data": {"new|x": "n", "`": "t"}})
    lines = repo.cli.done("diff", "--md").splitlines()
    assert lines[0] == "**Data: `HEAD` → `worktree`**: 2 added, 0 deleted, 0 modified, 0 renamed (+2 B, -0 B)"
    assert lines[2:] == [
        "| Status | Path | Size |",
        "|---|---|---|",
        "| added | `` data/` `` | 1 B |",
        "| added | `data/new\\|x` | 1 B |",
    ]


def test_a_long_markdown_table_is_cut_where_github_would_refuse_it(repo: Repo) -> None:
    repo.write({"data": {"many": {f"{'long' * 30}{n:04}": "" for n in range(600)}}})
    text = repo.cli.done("diff", "--md")
    assert len(text) < 65_536
    shown = text.count("| added |")
    assert text.splitlines()[-1] == f"... and {600 - shown} more"


def test_diff_with_digests(repo: Repo) -> None:
    (repo.at / "model.bin").write_text("m2")
    old, new = (
        repo.json("diff")["modified"][0][side]["digest"].removeprefix("blake3:")[:12] for side in ("old", "new")
    )
    assert f"  {old}..{new}  model.bin  2 B\n" in repo.cli.done("diff", "--show-hash")


def test_diff_exit_code(repo: Repo) -> None:
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
def test_diff_of_some_paths(repo: Repo, argv: tuple[str, ...], modified: list[str]) -> None:
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
def test_diff_refuses(repo: Repo, argv: tuple[str, ...], message: str) -> None:
    ran = repo.cli("diff", *argv)
    assert ran.code in {2, 6}
    assert message in ran.err


def test_a_word_that_is_a_revision_and_a_path(repo: Repo) -> None:
    repo.git("branch", "data")
    ran = repo.cli("diff", "data")
    assert ran.code == 2
    assert "data is both a revision and a path" in ran.err
    assert repo.cli.done("diff", "--targets", "data") == "no differences\n"


def test_diff_of_a_path_that_is_gone_now(repo: Repo) -> None:
    (repo.at / "model.bin").unlink()
    (repo.at / "model.bin.dvt").unlink()
    assert told(repo.json("diff", "model.bin")) == {**NOTHING, "deleted": ["model.bin"]}


def test_diff_before_the_first_commit(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "repo")
    repo.write({"x": "1"})
    repo.add("x")
    assert told(repo.json("diff")) == {**NOTHING, "added": ["x"]}


def test_a_tracked_path_that_moved_with_its_pointer(repo: Repo) -> None:
    os.rename(repo.at / "data", repo.at / "raw")
    (repo.at / "data.dvt").unlink()
    repo.add("raw")
    assert told(repo.json("diff")) == {**NOTHING, "renamed": [("data", "raw")]}


def test_what_is_not_in_the_worktree_is_compared_by_its_pointer(repo: Repo) -> None:
    edit(repo)
    repo.add("data")
    shutil.rmtree(repo.at / "data")
    document = repo.json("diff")
    assert told(document) == EDITED
    assert document["absent"] == [{"path": "data"}]


def test_diff_without_listings_shows_what_it_can(repo: Repo) -> None:
    repo.lose_cache()
    repo.write({"model.bin": "m2", "data": {"new": "n"}})
    ran = repo.cli("diff", "--json")
    assert ran.code == 4
    assert told(ran.document) == {**NOTHING, "modified": ["data", "model.bin"]}
    assert [one["path"] for one in ran.document["unread"]] == ["data"]
    assert "hint: dvtool remote add -d NAME URL, then dvtool fetch" in ran.err


def pushed_clone(repo: Repo, tmp_path: Path) -> Repo:
    """A clone that has pointers, a remote that has everything, and an empty cache."""
    (tmp_path / "store").mkdir()
    repo.cli.done("remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    repo.commit("remote")
    repo.cli.done("push", "-q", "--all-tags")
    subprocess.run(["git", "clone", "-q", str(repo.at), str(tmp_path / "clone")], check=True)
    return Repo(tmp_path / "clone", CommandLine(tmp_path / "clone"))


def test_a_clone_without_data_asks_the_remote_for_listings_alone(repo: Repo, tmp_path: Path) -> None:
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


@pytest.mark.parametrize("argv", [("list", "-R"), ("diff", "v1"), ("log", "data/a.txt"), ("whereused", "0123456789")])
def test_a_remote_out_of_reach_means_missing_data(repo: Repo, tmp_path: Path, argv: tuple[str, ...]) -> None:
    repo.write({"data": {"new": "n"}})
    repo.add("data")
    clone = pushed_clone(repo, tmp_path)
    os.rename(tmp_path / "store", tmp_path / "elsewhere")
    ran = clone.cli(*argv)
    assert ran.code == 4
    assert "is it mounted?" in ran.err


def test_list(repo: Repo) -> None:
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
def test_list_of_a_path(repo: Repo, argv: tuple[str, ...], lines: list[str]) -> None:
    assert repo.cli.done("ls", *argv).splitlines() == lines
    shutil.rmtree(repo.at / "data")
    assert repo.cli.done("list", *argv).splitlines() == lines


def test_list_from_below(repo: Repo) -> None:
    assert repo.cli.below("src").done("list") == "main.py\n"
    assert repo.cli.below("src").done("list", "../data/img/deep") == "3.png\n"


def test_list_at_a_revision(repo: Repo) -> None:
    edit(repo)
    repo.add("data")
    repo.commit("second")
    assert repo.cli.done("list", "data").splitlines() == ["a.txt", "empty/", "new", "one.png", "pictures/", "run"]
    assert repo.cli.done("list", "--rev", "v1", "data").splitlines() == ["a.txt", "empty/", "img/", "lnk -> img", "run"]


def test_list_as_json(repo: Repo) -> None:
    document = repo.json("list", "-R", "--tracked", "data/img")
    assert document["schema"] == "dvtool/list/1"
    assert [one["path"] for one in document["entries"]] == ["data/img/1.png", "data/img/2.png", "data/img/deep/3.png"]
    first = document["entries"][0]
    assert (first["kind"], first["size"], first["tracked"], first["executable"]) == ("file", 2, True, False)
    assert f"{first['digest'].removeprefix('blake3:')[:12]}  1.png\n" in repo.cli.done(
        "list", "--show-hash", "data/img"
    )
    assert repo.json("list", "--tracked", "src") is not None


def test_list_as_json_with_nothing_in_it(repo: Repo) -> None:
    assert repo.json("list", "data/empty") == {"schema": "dvtool/list/1", "entries": [], "unread": []}


@pytest.mark.parametrize(
    "argv", [("nosuch",), ("data/nosuch",), ("model.bin/x",), ("--tracked", "src"), ("--rev", "v1", "x")]
)
def test_list_of_nothing(repo: Repo, argv: tuple[str, ...]) -> None:
    ran = repo.cli("list", *argv)
    assert ran.code == 2
    assert "tracks no such path" in ran.err


def test_list_without_listings_shows_what_it_can(repo: Repo) -> None:
    repo.lose_cache()
    ran = repo.cli("list", "-R", "--tracked")
    assert (ran.code, ran.out) == (4, "data/\nmodel.bin\n")
    assert "data could not be listed: the listing is not in the cache" in ran.err


def test_list_of_a_wide_directory(repo: Repo) -> None:
    names = [f"{n:05}" for n in range(1_100)]
    repo.write({"wide": dict.fromkeys(names, "")})
    repo.add("wide")
    assert repo.cli.done("list", "wide").split() == names


def test_names_are_shown_safely_and_kept_exactly(repo: Repo) -> None:
    create_tree(repo.at, {"data": {b"bad\xff\x1b": "x"}})
    repo.add("data")
    assert "bad\\xff\\x1b" in repo.cli.done("list", "data")
    odd = next(one for one in repo.json("list", "data")["entries"] if "path_bytes" in one)
    assert odd["path_bytes"] == "ZGF0YS9iYWT/Gw=="
    assert "data/bad\\xff\\x1b" in repo.cli.done("diff")


def history(repo: Repo) -> dict[str, str]:
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


def test_log_follows_a_renamed_pointer(repo: Repo) -> None:
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


def test_log_of_a_path_inside(repo: Repo) -> None:
    commits = history(repo)
    shown = [(one["change"], one["commit"]) for one in repo.json("log", "raw/a.txt")["versions"]]
    assert shown == [("renamed", commits["move"]), ("modified", commits["edit"]), ("added", commits["first"])]
    assert [one["commit"] for one in repo.json("log", "raw/more")["versions"]] == [commits["more"]]
    assert [one["commit"] for one in repo.json("log", "--rev", "HEAD~2", "data/a.txt")["versions"]] == [
        commits["edit"],
        commits["first"],
    ]


def test_log_of_a_path_that_is_gone(repo: Repo) -> None:
    commits = history(repo)
    versions = repo.json("log", "data/a.txt")["versions"]
    assert [(one["change"], one["commit"]) for one in versions] == [
        ("deleted", commits["move"]),
        ("modified", commits["edit"]),
        ("added", commits["first"]),
    ]
    assert (versions[0]["size"], versions[0]["size_before"]) == (None, 8)


def test_log_of_a_pointer_and_of_a_file(repo: Repo) -> None:
    first = repo.git("rev-parse", "--short=7", "HEAD")
    assert repo.cli.done("log", "model.bin.dvt") == repo.cli.done("log", "model.bin")
    assert repo.cli.done("log", "model.bin") == f"{first}  2026-01-02  Test  added  2 B (+2 B)  first\n"


def test_log_refuses(repo: Repo) -> None:
    assert "nix was never tracked" in repo.cli("log", "nix").err
    assert repo.cli("log", "src/main.py").code == 2
    assert "there is no revision 'v9'" in repo.cli("log", "--rev", "v9", "data").err
    repo.write({"late": "x"})
    repo.add("late")
    assert "late has no versions at HEAD" in repo.cli("log", "late").err


def test_log_without_listings(repo: Repo) -> None:
    history(repo)
    repo.lose_cache()
    assert len(repo.json("log", "raw")["versions"]) == 4
    ran = repo.cli("log", "raw/a.txt")
    assert ran.code == 4
    assert "could not be looked into at every version" in ran.err


def digest_of(repo: Repo, path: str) -> str:
    (entry,) = repo.json("list", path)["entries"]
    assert isinstance(entry["digest"], str)
    return entry["digest"]


def test_whereused(repo: Repo) -> None:
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


def test_whereused_of_a_directory_and_of_a_tracked_file(repo: Repo) -> None:
    tops = {one["path"]: one["digest"] for one in repo.json("list")["entries"]}
    inner = {one["path"]: one["digest"] for one in repo.json("list", "data")["entries"]}
    for path, digest in (*tops.items(), *inner.items()):
        if path in {"data", "model.bin", "data/img"}:
            (use,) = repo.json("whereused", digest)["uses"]
            assert (use["path"], use["kind"]) == (path, "file" if path == "model.bin" else "directory")
            assert (use["refs"], use["in_worktree"]) == (["main", "v1"], True)


def test_whereused_finds_what_only_the_worktree_or_a_stash_names(repo: Repo) -> None:
    repo.write({"model.bin": "m2"})
    repo.add("model.bin")
    digest = digest_of(repo, "model.bin")
    (use,) = repo.json("whereused", digest)["uses"]
    assert (use["commits"], use["refs"], use["in_worktree"]) == ([], [], True)
    repo.git("stash", "-q")
    (use,) = repo.json("whereused", digest)["uses"]
    assert (len(use["commits"]), use["refs"], use["in_worktree"]) == (1, [], False)


def test_whereused_nowhere(repo: Repo) -> None:
    ran = repo.cli("whereused", "0" * 64)
    assert ran.code == 1
    assert ran.out.startswith("used nowhere")
    assert repo.json("whereused", "blake3:" + "0" * 64)["uses"] == []


@pytest.mark.parametrize("text", ["1234567", "xyz", "blake3:", "crc:12345678", "0" * 65, "../../../etc"])
def test_whereused_refuses(repo: Repo, text: str) -> None:
    assert repo.cli("whereused", text).code == 2


def test_whereused_without_listings(repo: Repo) -> None:
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

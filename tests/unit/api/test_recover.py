from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.api.add import AddRequest
from dvtool.api.add import add
from dvtool.api.recover import RecoverRequest
from dvtool.api.recover import RecoverResult
from dvtool.api.recover import recover
from dvtool.errors import MissingData
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.hashing.digests import object_id
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Tree
from tests.support.trees import assert_tree
from tests.support.workbench import NOW
from tests.support.workbench import Workbench

LARGE = b"large" * 60_000
DATA: Tree = {"a": "1", "large": LARGE, "run": Executable("#!"), "link": Link("a"), "in": {"b": "2"}, "empty": {}}


def run(bench: Workbench, what: str | None = None, output: str | None = None, into: str | None = None) -> RecoverResult:
    words = (None if word is None else os.fsencode(word) for word in (what, output, into))
    return recover(bench.project, RecoverRequest(*words))


def forced(bench: Workbench) -> None:
    bench.track({"data": {"a": "1", "run": "!"}})
    bench.create({"data": {"a": "my own", "run": Executable("mine")}})
    bench.checkout(force=True)


def test_nothing_to_recover(bench: Workbench) -> None:
    bench.track({"data": DATA, "f": "x"})
    bench.create({"data": {"a": "second version"}})
    bench.add("data")
    bench.commit()
    assert run(bench).items == ()


def test_what_force_replaced_comes_back(bench: Workbench) -> None:
    forced(bench)
    first, second = run(bench).items
    assert [(item.path, item.when, item.why) for item in (first, second)] == [
        (b"data/a", NOW, "replaced by force"),
        (b"data/run", NOW, "replaced by force"),
    ]
    with pytest.raises(UsageError, match="there already"):
        run(bench, "data/a")
    run(bench, "data/a", "mine.txt")
    assert (bench.root / "mine.txt").read_text() == "my own"
    (bench.root / "data/run").unlink()
    run(bench, "data/run")
    assert_tree(bench.root / "data", {"a": "1", "run": Executable("mine")})


def test_a_version_that_was_never_committed(bench: Workbench) -> None:
    bench.track({"data": DATA, "f": "x"})
    bench.create({"data": {"a": "lost", "large": LARGE + b"!"}, "f": "lost too"})
    bench.add("data", "f")
    bench.create({"data": {"a": "1", "large": LARGE}, "f": "x"})
    bench.add("data", "f")
    result = run(bench)
    assert sorted((item.kind, item.files, item.path) for item in result.items) == [
        ("directory", 5, b""),
        ("file", 1, b""),
    ]
    directory = next(item for item in result.items if item.kind == "directory")
    run(bench, directory.digest[:20], "old")
    assert_tree(bench.root / "old", {**DATA, "a": "lost", "large": LARGE + b"!"})


@pytest.mark.parametrize("where", ["index", "stash", "reflog", "linked worktree"])
def test_pointers_outside_of_commits_count(bench: Workbench, where: str, tmp_path: Path) -> None:
    bench.track({"data": DATA})
    bench.create({"data": {"a": "second"}})
    if where == "linked worktree":
        bench.git("worktree", "add", "-q", str(tmp_path / "other"))
        other = Workbench.__new__(Workbench)
        other.root, other.settings = tmp_path / "other", {}
        other.create({"data": {"a": "second"}})
        other.add("data")
    else:
        bench.add("data")
    if where == "index":
        bench.git("add", "data.dvt")
    elif where == "stash":
        bench.git("stash", "-q")
    elif where == "reflog":
        bench.commit()
        bench.git("reset", "-q", "--hard", "HEAD~1")
    bench.create({"data": {"a": "third"}})
    bench.add("data")
    assert run(bench).items == ()


def test_a_killed_add_leaves_its_files_findable(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.create({"data": DATA, "large": LARGE + b"2"})

    class Killed(BaseException):
        pass

    def stop(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr("dvtool.api.add.record_pointers", stop)
    with pytest.raises(Killed):
        add(bench.project, AddRequest((b"data", b"large")))
    kinds = sorted((item.kind, item.files, item.size) for item in run(bench).items)
    assert kinds == [("directory", 5, len(LARGE) + 4), ("file", 1, len(LARGE) + 1)]
    result = run(bench, into="found")
    assert len(result.restored) == 2 and not result.errors
    trees = [path for path in (bench.root / "found").iterdir() if path.is_dir()]
    assert_tree(trees[0], DATA)


def test_any_object_by_its_whole_digest(bench: Workbench) -> None:
    bench.track({"data": DATA, "large": LARGE})
    run(bench, object_id(LARGE).hex(), "copy")
    assert (bench.root / "copy").read_bytes() == LARGE
    run(bench, f"blake3:{object_id(b'1').hex()}")
    assert (bench.root / f"recovered-{object_id(b'1').hex()[:12]}").read_text() == "1"


def test_what_is_gone_from_the_cache_does_not_keep_the_rest(bench: Workbench) -> None:
    bench.create({"data": DATA})
    bench.add("data")
    (bench.root / "data.dvt").unlink()
    Path(os.fsdecode(bench.cache.loose_path(object_id(LARGE)))).unlink()
    (item,) = run(bench).items
    result = run(bench, item.digest, "old")
    assert [type(error) for error in result.errors] == [MissingData]
    assert_tree(bench.root / "old", {name: node for name, node in DATA.items() if name != "large"})


def test_nothing_is_replaced(bench: Workbench) -> None:
    forced(bench)
    bench.create({"there": {"x": ""}, "f": ""})
    for what, output, into in (("data/a", "f", None), (None, None, "there"), (None, None, "f")):
        with pytest.raises(UsageError, match="there already"):
            run(bench, what, output, into)
    run(bench, "data/a", "there")
    assert_tree(bench.root / "there", {"x": "", "a": "my own"})


@pytest.mark.parametrize("what", ["nowhere", "abcdef", "ab" * 32, "../x"])
def test_what_is_not_there(bench: Workbench, what: str) -> None:
    forced(bench)
    with pytest.raises(UsageError, match="nothing to recover"):
        run(bench, what)


def test_a_link_does_not_lead_out_of_the_project(bench: Workbench, tmp_path: Path) -> None:
    forced(bench)
    (bench.root / "data").rename(bench.root / "moved")
    (tmp_path / "outside").mkdir()
    (bench.root / "data").symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafeInput, match="data"):
        run(bench, "data/a")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_link_that_force_replaced_is_not_forgotten(bench: Workbench) -> None:
    bench.track({"data": {"a": "1"}})
    (bench.root / "data/a").unlink()
    (bench.root / "data/a").symlink_to("/my/own/place")
    bench.checkout(force=True)
    assert_tree(bench.root / "data", {"a": "1"})
    (item,) = run(bench).items
    assert "symbolic link" in item.why
    run(bench, "data/a", "target")
    assert (bench.root / "target").read_text() == "/my/own/place"

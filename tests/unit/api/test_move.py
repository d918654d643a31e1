from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from dvtool.api.add import AddRequest
from dvtool.api.add import add
from dvtool.api.move import MoveRequest
from dvtool.api.move import MoveResult
from dvtool.api.move import move
from dvtool.api.remove import RemoveRequest
from dvtool.api.remove import remove
from dvtool.disk.beneath import open_root
from dvtool.errors import DvtoolError
from dvtool.errors import UnsafeInput
from dvtool.project.environment import Environment
from dvtool.project.init import init_project
from dvtool.project.open import open_project
from dvtool.project.parts import open_tracked
from dvtool.workspace.moving import move_entry
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Tree
from tests.support.trees import assert_tree
from tests.support.trees import create_tree
from tests.support.workbench import Workbench

LARGE = b"large" * 60_000
DATA: Tree = {"a": "1", "large": LARGE, "run": Executable("#!"), "link": Link("a"), "in": {"b": "2"}, "empty": {}}


def run(bench: Workbench, source: str, target: str) -> MoveResult:
    return move(bench.project, MoveRequest(os.fsencode(source), os.fsencode(target)))


def tracked(bench: Workbench) -> set[str]:
    return {os.fsdecode(item.path) for item in open_tracked(bench.project)}


def start(bench: Workbench, tree: Tree) -> None:
    bench.track(tree)
    bench.settle()


def right(bench: Workbench) -> None:
    """Nothing differs, nothing was read for that, and dvtool still knows what it placed itself."""
    assert bench.status().files_hashed == 0
    assert bench.changes() == set()
    result = bench.checkout()
    assert not result.is_changed and not result.problems


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("data", "raw", "raw"),
        ("data.dvt", "raw.dvt", "raw"),
        ("data", "new/deep/raw", "new/deep/raw"),
        ("data", "there", "there/data"),
        ("f", "there/", "there/f"),
        ("f", "there/g", "there/g"),
        ("there/x", ".", "x"),
        ("f", "g", "g"),
    ],
)
def test_a_whole_tracked_path(bench: Workbench, source: str, target: str, expected: str) -> None:
    bench.create({"there": {"x": "1"}})
    bench.add("there/x")
    start(bench, {"data": DATA, "f": LARGE})
    before = tracked(bench)
    old = source.removesuffix(".dvt")
    result = run(bench, source, target)
    assert (result.source, result.target, result.moved_data) == (os.fsencode(old), os.fsencode(expected), True)
    assert tracked(bench) == before - {old} | {expected}
    assert not (bench.root / old).exists() and not (bench.root / f"{old}.dvt").exists()
    right(bench)
    bench.commit()
    assert bench.git("status", "--porcelain") == ""
    assert not bench.git("ls-files", "--", expected)
    assert set(map(os.fsdecode, result.git_files)) >= {f"{old}.dvt", f"{expected}.dvt"}


def test_everything_in_a_directory_comes_along(bench: Workbench) -> None:
    start(bench, {"data": DATA})
    bench.create({"data": {"mine": "untracked", "a": "changed"}})
    run(bench, "data", "raw")
    assert_tree(bench.root / "raw", {**DATA, "a": "changed", "mine": "untracked"})
    assert bench.changes() == {("modified", "raw/a"), ("added", "raw/mine")}


def test_another_version_comes_back_after_a_move(bench: Workbench) -> None:
    start(bench, {"data": DATA})
    bench.git("tag", "v1")
    run(bench, "data", "raw")
    bench.commit()
    bench.git("checkout", "-q", "v1")
    bench.checkout()
    assert_tree(bench.root / "data", DATA)
    assert not (bench.root / "raw").exists()


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("data/a", "data/z", {**{k: v for k, v in DATA.items() if k != "a"}, "z": "1"}),
        ("data/a", "data/in", {**{k: v for k, v in DATA.items() if k != "a"}, "in": {"b": "2", "a": "1"}}),
        ("data/in/b", "data/b", {**DATA, "in": {}, "b": "2"}),
        ("data/in", "data/new/deep", {**{k: v for k, v in DATA.items() if k != "in"}, "new": {"deep": {"b": "2"}}}),
        ("data/link", "data/l", {**{k: v for k, v in DATA.items() if k != "link"}, "l": Link("a")}),
    ],
)
def test_inside_a_tracked_directory(bench: Workbench, source: str, target: str, expected: Tree) -> None:
    start(bench, {"data": DATA})
    assert run(bench, source, target).git_files == (b"data.dvt",)
    assert_tree(bench.root / "data", expected)
    right(bench)


def test_out_of_a_directory_into_another_and_back(bench: Workbench) -> None:
    start(bench, {"data": DATA, "other": {"x": "y"}})
    run(bench, "data/large", "large")
    assert tracked(bench) == {"data", "other", "large"}
    right(bench)
    run(bench, "large", "other")
    assert tracked(bench) == {"data", "other"}
    right(bench)
    run(bench, "other/large", "data/large")
    right(bench)
    run(bench, "data/in", "other")
    right(bench)
    assert_tree(bench.root / "other", {"x": "y", "in": {"b": "2"}})
    assert_tree(bench.root / "data", {name: node for name, node in DATA.items() if name != "in"})


def test_what_is_not_in_the_worktree_moves_in_the_pointers(bench: Workbench) -> None:
    start(bench, {"f": "1", "data": DATA})
    (bench.root / "f").unlink()
    assert run(bench, "f", "g").moved_data is False
    assert bench.changes() == {("missing", "g")}
    bench.checkout()
    assert (bench.root / "g").read_text() == "1"


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("nowhere", "x", "not tracked"),
        ("f", "g", "there already"),
        ("f", "mine", "there already"),
        ("f", "data/a", "there already"),
        ("data/a", "data/large", "there already"),
        ("data", "data/in", "into itself"),
        ("f", "f", "at that place"),
        ("data/mine", "data/x", "not recorded"),
        ("data/link", "link", "symbolic link"),
        ("f", "code.py", "tracked by Git"),
        ("f", ".git/x", "belongs to Git"),
        ("f", "../x", "outside"),
        ("f", "g/x", "tracked as a file"),
        ("f", "skip/x", "ignored"),
    ],
)
def test_refused_and_nothing_changed(bench: Workbench, source: str, target: str, message: str) -> None:
    bench.create({"code.py": "", "mine": "!"})
    bench.git("add", "code.py")
    start(bench, {"f": "1", "g": "2", "data": DATA})
    bench.create({"data": {"mine": "!"}})
    (bench.root / ".dvtoolignore").write_text("skip\n")
    bench.commit()
    if target == "code.py":
        (bench.root / "code.py").unlink()
    before = bench.git("status", "--porcelain")
    with pytest.raises(DvtoolError, match=message):
        run(bench, source, target)
    assert bench.git("status", "--porcelain") == before
    assert bench.changes() == {("added", "data/mine")}


@pytest.mark.parametrize(
    ("source", "target"), [("data", "raw"), ("data/in", "data/z"), ("data/a", "f2"), ("f", "data/f")]
)
@pytest.mark.parametrize("step", ["record_pointers", "move_data", "follow", "unrecord_pointers"])
def test_one_that_was_stopped_goes_on(
    bench: Workbench, source: str, target: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(bench, {"data": DATA, "f": "1"})

    class Killed(BaseException):
        pass

    def stop(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"dvtool.api.move.{step}", stop)
        with contextlib.suppress(Killed):
            run(bench, source, target)
    # Inside one directory all but the memo may be done: nothing says then that a move was under way.
    if bench.changes() or source in tracked(bench) or (bench.root / source).exists():
        run(bench, source, target)
    assert not (bench.root / source).exists() and (bench.root / target).exists()
    assert bench.changes() == set()
    assert source not in tracked(bench)


def test_across_file_systems_the_copy_is_proved(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs /dev/shm as another file system")
    create_tree(tmp_path, {"data": DATA})
    name = os.fsencode(f"dvtool-test-{os.getpid()}")
    source, target = open_root(os.fsencode(tmp_path)), open_root(os.fsencode(other))
    try:
        move_entry(source, b"data", target, name, shown=b"data", durable=True)
        assert not (tmp_path / "data").exists()
        assert_tree(other / os.fsdecode(name), DATA)
        move_entry(target, name, source, b"back", shown=name, durable=False)
        assert_tree(tmp_path / "back", DATA)
        assert not (other / os.fsdecode(name)).exists()
        os.mkfifo(tmp_path / "back/fifo")
        with pytest.raises(UnsafeInput):
            move_entry(source, b"back", target, name, shown=b"back", durable=False)
        assert not (other / os.fsdecode(name)).exists()
        assert (tmp_path / "back/large").read_bytes() == LARGE
        assert [entry for entry in os.listdir(other) if entry.startswith(".dvtool")] == []
    finally:
        os.close(source)
        os.close(target)


def test_nothing_is_replaced(tmp_path: Path) -> None:
    create_tree(tmp_path, {"a": "1", "b": "2"})
    fd = open_root(os.fsencode(tmp_path))
    try:
        with pytest.raises(FileExistsError):
            move_entry(fd, b"a", fd, b"b", shown=b"a", durable=False)
    finally:
        os.close(fd)
    assert_tree(tmp_path, {"a": "1", "b": "2"})


def test_without_git_there_is_nothing_to_tell_it(tmp_path: Path) -> None:
    environment = Environment(dict(os.environ), os.fsencode(tmp_path), os.fsencode(tmp_path))
    init_project(b".", environment, no_scm=True)
    create_tree(tmp_path, {"data": {"a": "1"}, "f": "2"})
    project = open_project(b".", environment)
    assert add(project, AddRequest((b"data", b"f"))).git_files == ()
    assert move(project, MoveRequest(b"data", b"raw")).git_files == ()
    assert move(project, MoveRequest(b"f", b"raw")).git_files == ()
    assert_tree(tmp_path / "raw", {"a": "1", "f": "2"})
    assert remove(project, RemoveRequest((b"raw",), outs=True)).git_files == ()
    assert sorted(os.listdir(tmp_path)) == [".dvtool", ".dvtoolignore"]

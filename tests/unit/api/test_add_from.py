from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.api.add import AddResult
from dvtool.api.add_from import AddFromRequest
from dvtool.api.add_from import add_from
from dvtool.errors import DvtoolError
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Tree
from tests.support.trees import assert_tree
from tests.support.trees import create_tree
from tests.support.trees import tree_of
from tests.support.workbench import Workbench

DATA: Tree = {
    "a": "1",
    "large": b"large" * 60_000,
    "run": Executable("#!"),
    "link": Link("a"),
    "in": {"b": "2"},
    "e": {},
}


def run(bench: Workbench, source: Path | str, output: str) -> AddResult:
    return add_from(bench.project, AddFromRequest(os.fsencode(source), os.fsencode(output)))


def test_a_directory_from_elsewhere(bench: Workbench, tmp_path: Path) -> None:
    create_tree(tmp_path / "outside", DATA)
    result = run(bench, "../outside", "raw/data")
    assert [(item.path, item.files) for item in result.added] == [(b"raw/data", 5)]
    assert_tree(bench.root / "raw/data", DATA)
    assert_tree(tmp_path / "outside", DATA)
    assert bench.changes() == set()
    (bench.root / "raw/data/a").write_text("changed")
    assert (tmp_path / "outside/a").read_text() == "1"


def test_a_file_through_a_link_and_into_a_tracked_directory(bench: Workbench, tmp_path: Path) -> None:
    create_tree(tmp_path, {"real": b"large" * 60_000, "named": Link("real")})
    run(bench, tmp_path / "named", "copy")
    assert not (bench.root / "copy").is_symlink()
    bench.track({"data": {"x": "y"}})
    run(bench, tmp_path / "real", "data/new")
    assert_tree(bench.root / "data", {"x": "y", "new": b"large" * 60_000})
    assert bench.changes() == set()


def test_one_that_was_killed_after_the_copy_goes_on(bench: Workbench, tmp_path: Path) -> None:
    create_tree(tmp_path / "outside", DATA)
    create_tree(bench.root / "raw", DATA)
    assert [item.path for item in run(bench, "../outside", "raw").added] == [b"raw"]
    assert bench.changes() == set()


@pytest.mark.parametrize(
    "other",
    [{"a": "2"}, {"run": "#!"}, {"link": Link("run")}, {"in": "a file"}, {"in": {"b": "2", "more": ""}}],
    ids=["bytes", "not executable", "other link", "other kind", "one more file"],
)
def test_what_only_looks_like_the_copy_is_not_taken_for_it(bench: Workbench, tmp_path: Path, other: Tree) -> None:
    create_tree(tmp_path / "outside", DATA)
    create_tree(bench.root / "raw", {**DATA, **other})
    with pytest.raises(DvtoolError, match="there already"):
        run(bench, "../outside", "raw")
    assert_tree(bench.root / "raw", {**DATA, **other})


@pytest.mark.parametrize(
    ("source", "output", "message"),
    [
        ("../outside", "mine", "there already"),
        ("../outside", "f", "there already"),
        ("../outside", "gone", "there already"),
        ("../outside", "code.py", "tracked by Git"),
        ("../outside", "../x", "outside the project"),
        ("../outside", "x.dvt", "name of a pointer"),
        ("../outside", ".git/x", "belongs to Git"),
        ("../nowhere", "x", "does not exist"),
        ("..", "x", "into itself"),
        ("../fifo", "x", "not copied"),
    ],
)
def test_refused_and_nothing_left_behind(
    bench: Workbench, tmp_path: Path, source: str, output: str, message: str
) -> None:
    create_tree(tmp_path / "outside", {"a": "1"})
    os.mkfifo(tmp_path / "fifo")
    bench.track({"f": "1", "gone": "2"})
    bench.create({"mine": "!", "code.py": ""})
    bench.git("add", "code.py")
    for name in ("gone", "code.py"):
        (bench.root / name).unlink()
    before = tree_of(bench.root)
    with pytest.raises(DvtoolError, match=message):
        run(bench, source, output)
    assert tree_of(bench.root) == before


def test_what_cannot_be_copied_leaves_no_part(bench: Workbench, tmp_path: Path) -> None:
    create_tree(tmp_path / "outside", {"a": "1", "in": {"b": "2"}})
    os.mkfifo(tmp_path / "outside/in/c")
    before = tree_of(bench.root)
    with pytest.raises(DvtoolError, match="outside/in/c"):
        run(bench, tmp_path / "outside", "x")
    assert tree_of(bench.root) == before

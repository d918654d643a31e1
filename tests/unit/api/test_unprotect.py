from __future__ import annotations

import os

import pytest

from dvtool.api.unprotect import UnprotectRequest
from dvtool.api.unprotect import UnprotectResult
from dvtool.api.unprotect import raise_for
from dvtool.api.unprotect import unprotect
from dvtool.errors import IntegrityError
from dvtool.errors import UsageError
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Tree
from tests.support.trees import assert_tree
from tests.support.workbench import Workbench

LARGE = b"large" * 60_000
DATA: Tree = {"large": LARGE, "twin": LARGE, "run": Executable("#!"), "in": {"small": "1"}, "link": Link("large")}


def linked(bench: Workbench, link: str) -> None:
    """Everything that can be is linked to the cache, and the memo is sure of it."""
    bench.settings["cache.type"] = link
    bench.track({"data": DATA, "top": b"top" * 70_000})
    bench.checkout(relink=True)
    bench.settle()


def run(bench: Workbench, *targets: str) -> UnprotectResult:
    return unprotect(bench.project, UnprotectRequest(tuple(map(os.fsencode, targets))))


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_links_become_files_of_their_own(bench: Workbench, link: str) -> None:
    linked(bench, link)
    result = run(bench, "data", "top")
    assert {(file.path, file.was) for file in result.files} == {
        (path, link) for path in (b"data/large", b"data/twin", b"data/in/small", b"top")
    }
    assert result.bytes_copied == 2 * len(LARGE) + 1 + 210_000
    assert_tree(bench.root / "data", DATA)
    for path in ("data/large", "data/twin", "data/in/small", "top"):
        status = (bench.root / path).lstat()
        assert status.st_nlink == 1 and status.st_mode & 0o200
    assert bench.status().files_hashed == 0
    assert run(bench, "data", "top").files == ()


def test_what_is_edited_then_does_not_reach_the_cache(bench: Workbench) -> None:
    linked(bench, "hardlink")
    run(bench, "data/large")
    with (bench.root / "data/large").open("ab") as file:
        file.write(b"!")
    assert bench.changes() == {("modified", "data/large")}
    assert (bench.root / "data/twin").read_bytes() == LARGE
    bench.checkout(force=True)
    assert (bench.root / "data/large").read_bytes() == LARGE


def test_one_file_in_a_directory(bench: Workbench) -> None:
    linked(bench, "symlink")
    assert [file.path for file in run(bench, "data/in/small").files] == [b"data/in/small"]
    assert (bench.root / "data/large").is_symlink()
    assert bench.status().files_hashed == 0


def test_a_read_only_file_is_not_copied(bench: Workbench) -> None:
    bench.track({"data": DATA})
    (bench.root / "data/large").chmod(0o444)
    inode = (bench.root / "data/large").stat().st_ino
    result = run(bench, "data")
    assert [(file.path, file.was) for file in result.files] == [(b"data/large", "read-only")]
    assert result.bytes_copied == 0
    assert ((bench.root / "data/large").stat().st_ino, (bench.root / "data/large").stat().st_mode & 0o200) == (
        inode,
        0o200,
    )


def test_damaged_bytes_are_not_copied_and_do_not_stop_the_rest(bench: Workbench) -> None:
    linked(bench, "symlink")
    target = os.readlink(bench.root / "top")
    os.chmod(target, 0o644)
    with open(target, "r+b") as file:
        file.write(b"!")
    result = run(bench, "top", "data")
    assert (bench.root / "top").is_symlink()
    assert len(result.files) == 3
    with pytest.raises(IntegrityError, match="top"):
        raise_for(result)


def test_what_is_not_tracked(bench: Workbench) -> None:
    bench.create({"mine": "!"})
    with pytest.raises(UsageError):
        run(bench, "mine")

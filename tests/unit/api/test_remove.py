from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.api.remove import RemoveRequest
from dvtool.api.remove import RemoveResult
from dvtool.api.remove import remove
from dvtool.errors import DvtoolError
from dvtool.errors import UsageError
from dvtool.project.parts import open_tracked
from dvtool.workspace.kept import Kept
from tests.support.trees import assert_tree
from tests.support.workbench import NOW
from tests.support.workbench import Workbench


def run(bench: Workbench, *targets: str, outs: bool = False, force: bool = False) -> RemoveResult:
    return remove(bench.project, RemoveRequest(tuple(map(os.fsencode, targets)), outs=outs, force=force, now=NOW))


@pytest.mark.parametrize("target", ["data", "data/", "data.dvt"])
def test_pointer_and_ignore_line_go_and_the_data_stays(bench: Workbench, target: str) -> None:
    bench.track({"data": {"a": "1", "in": {"b": "2"}}, "other": "x"})
    result = run(bench, target)
    assert (result.paths, result.files_removed) == ((b"data",), 0)
    assert result.git_files == (b".gitignore", b"data.dvt")
    assert_tree(bench.root / "data", {"a": "1", "in": {"b": "2"}})
    assert (bench.root / ".gitignore").read_text() == "/other\n"
    assert [item.path for item in open_tracked(bench.project)] == [b"other"]


def test_what_is_no_longer_tracked_is_the_users_own(bench: Workbench) -> None:
    bench.track({"data": {"a": "1"}, "other": "x"})
    run(bench, "data")
    bench.checkout()
    assert_tree(bench.root / "data", {"a": "1"})


def test_the_last_ignore_line_takes_its_file_along(bench: Workbench) -> None:
    bench.track({"in": {"f": "1"}})
    run(bench, "in")
    assert not (bench.root / ".gitignore").exists()
    bench.git("add", "in")
    assert bench.git("status", "--porcelain").splitlines() == [" D .gitignore", " D in.dvt", "A  in/f"]


def test_git_hears_of_it_where_that_is_set(bench: Workbench) -> None:
    bench.track({"a": "1", "b": "2"})
    bench.settings["core.autostage"] = "true"
    run(bench, "a")
    assert bench.git("status", "--porcelain").splitlines() == ["M  .gitignore", "D  a.dvt", "?? a"]


def test_only_what_git_knows_belongs_into_the_next_commit(bench: Workbench) -> None:
    bench.create({"a": "1"})
    bench.add("a")
    assert run(bench, "a").git_files == ()


def test_with_outs_the_data_goes_too(bench: Workbench) -> None:
    bench.track({"data": {"a": "1", "in": {"b": "2"}}, "f": "x"})
    result = run(bench, "data", "f", outs=True)
    assert result.files_removed == 3
    assert not (bench.root / "data").exists() and not (bench.root / "f").exists()
    bench.git("checkout", "-q", "--", ".")
    bench.checkout()
    assert_tree(bench.root / "data", {"a": "1", "in": {"b": "2"}})


def test_untracked_files_stay(bench: Workbench) -> None:
    bench.track({"data": {"a": "1"}})
    bench.create({"data": {"mine": "!"}})
    assert run(bench, "data", outs=True).kept == (b"data/mine",)
    assert_tree(bench.root / "data", {"mine": "!"})


@pytest.mark.parametrize("memo", ["known", "lost"])
def test_own_changes_stop_it_before_anything_is_touched(bench: Workbench, memo: str) -> None:
    bench.track({"data": {"a": "1", "b": "2"}, "f": "x"})
    bench.create({"data": {"b": "changed"}})
    if memo == "lost":
        os.unlink(bench.project.layout.state_dir + b"/memo.sqlite")
    with pytest.raises(DvtoolError, match=r"data/b \(modified\)"):
        run(bench, "f", "data", outs=True)
    assert_tree(bench.root / "data", {"a": "1", "b": "changed"})
    assert (bench.root / "f").exists() and (bench.root / "f.dvt").exists()


def test_force_keeps_the_bytes(bench: Workbench) -> None:
    bench.track({"data": {"a": "1"}})
    bench.create({"data": {"a": "changed"}})
    assert run(bench, "data", outs=True, force=True).replaced_kept == (b"data/a",)
    assert not (bench.root / "data").exists()
    (kept,) = Kept(bench.project.layout.state_dir).read()
    assert (kept.path, bench.cache.read_blob(kept.oid)) == (b"data/a", b"changed")


def test_bytes_that_the_cache_has_lost_are_not_deleted(bench: Workbench) -> None:
    bench.track({"f": "x" * 200_000})
    (loose,) = (path for path in Path(os.fsdecode(bench.cache.root), "objects").rglob("*") if path.is_file())
    loose.unlink()
    with pytest.raises(DvtoolError, match="not in the cache"):
        run(bench, "f", outs=True)
    assert (bench.root / "f").exists() and (bench.root / "f.dvt").exists()


@pytest.mark.parametrize(
    ("target", "hint"), [("data/a", "dvtool add data/a"), ("nowhere", "dvtool status"), (".", "dvtool remove data")]
)
def test_what_has_no_pointer_of_its_own(bench: Workbench, target: str, hint: str) -> None:
    bench.track({"data": {"a": "1"}})
    with pytest.raises(UsageError) as caught:
        run(bench, target)
    assert caught.value.hint is not None and hint in caught.value.hint


def test_a_killed_one_can_be_run_again(bench: Workbench) -> None:
    bench.track({"data": {"a": "1"}})
    (bench.root / "data.dvt").rename(bench.root / "saved")
    (bench.root / ".gitignore").unlink()
    (bench.root / "saved").rename(bench.root / "data.dvt")
    run(bench, "data")
    assert not (bench.root / "data.dvt").exists()

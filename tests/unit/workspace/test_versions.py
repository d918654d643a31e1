"""Switching versions: what the worktree holds afterwards, and what the memo knows of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dvtool.api.checkout import CheckoutRequest
from dvtool.api.checkout import raise_for
from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.hashing.digests import object_id
from dvtool.store.cache import LOOSE_FROM
from dvtool.workspace.kept import Kept
from tests.support.datasets import content
from tests.support.datasets import damage
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Tree
from tests.support.trees import assert_tree
from tests.support.trees import create_tree
from tests.support.trees import tree_of
from tests.support.workbench import Workbench

LARGE = content("large", LOOSE_FROM + 1)
VERSIONS: dict[str, Tree] = {
    "v1": {
        "same": "same",
        "text": "one",
        "mode": "#!/bin/sh",
        "gone": "gone",
        "large": LARGE,
        "file-link": "file",
        "link-dir": Link("same"),
        "dir-file": {"x": "x", "deep": {"y": "y"}},
        "retarget": Link("same"),
        "left": {"a": "a", "b": {"c": "c"}},
        b"odd \xff\n": "odd",
    },
    "v2": {
        "same": "same",
        "text": "two!",
        "mode": Executable("#!/bin/sh"),
        "new": {"n": "n", "empty": {}},
        "large": LARGE[::-1],
        "file-link": Link("text"),
        "link-dir": {"z": "z"},
        "dir-file": "file now",
        "retarget": Link("text"),
        "empty": {},
    },
    "v3": {"only": "this", "text": {"below": "text"}, "left": "file now"},
    "v4": {},
}


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """`data` in four versions, tagged; v4 stands there."""
    made = Workbench(tmp_path / "repo")
    for tag, tree in VERSIONS.items():
        write(made, tree)
        made.add("data")
        made.commit(tag)
        made.git("tag", tag)
    return made


def write(bench: Workbench, tree: Tree) -> None:
    shutil.rmtree(bench.root / "data", ignore_errors=True)
    create_tree(bench.root / "data", tree)


def switch(bench: Workbench, tag: str) -> None:
    bench.git("checkout", "-q", tag)


def data_of(bench: Workbench) -> object:
    """The data below `data`, without pointers and what else belongs to Git."""
    found = tree_of(bench.root).get(b"data", {})
    assert isinstance(found, dict)
    return {name: node for name, node in found.items() if not name.endswith((b".dvt", b".gitignore"))}


def test_a_directory_that_was_tracked_in_parts_and_then_as_a_whole(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "repo")
    bench.create({"data": {"a": {"x": "1"}, "b": {"y": "2"}}})
    bench.add("data/a", "data/b")
    bench.commit("v1")
    bench.git("tag", "v1")
    bench.git("rm", "-q", "data/a.dvt", "data/b.dvt", "data/.gitignore")
    bench.add("data")
    bench.commit("v2")
    bench.git("tag", "v2")
    for version in ("v2", "v1", "v2", "v1"):
        bench.git("checkout", "-q", version)
        assert not bench.checkout().conflicts
        assert data_of(bench) == {b"a": {b"x": b"1"}, b"b": {b"y": b"2"}}
        assert bench.changes() == set()


def test_every_version_follows_every_other(bench: Workbench) -> None:
    for tag in ("v1", "v2", "v1", "v3", "v2", "v3", "v1", "v4", "v2", "v4", "v3", "v4", "v1"):
        switch(bench, tag)
        result = bench.checkout()
        assert (result.problems, result.missing, result.conflicts, result.kept) == ((), (), (), ())
        assert_tree(bench.root / "data", VERSIONS[tag])
        seen = bench.status()
        assert (seen.is_clean, seen.files_hashed) == (True, 0)
        assert not bench.checkout().is_changed


@pytest.mark.parametrize("links", ["copy", "hardlink", "symlink", "reflink,copy"])
def test_every_link_type_gives_the_same_bytes(bench: Workbench, links: str) -> None:
    bench.settings["cache.type"] = links
    for tag in ("v1", "v2", "v1"):
        switch(bench, tag)
        result = bench.checkout()
        data = bench.root / "data"
        assert (data / "large").read_bytes() == VERSIONS[tag]["large"]
        assert (data / "large").is_symlink() == (links == "symlink")
        assert ((data / "large").stat().st_nlink > 1) == (links == "hardlink")
        assert set(result.link_types) <= set(links.split(",")) | {"copy"}
        assert bench.changes() == set()
        assert bench.status().files_hashed == 0


def test_without_the_memo_a_clean_worktree_switches_as_before(bench: Workbench) -> None:
    for tag in ("v1", "v2", "v3"):
        switch(bench, tag)
        lose_memo(bench)
        result = bench.checkout()
        assert (result.problems, result.conflicts, result.kept) == ((), (), ())
        assert_tree(bench.root / "data", VERSIONS[tag])


def lose_memo(bench: Workbench) -> None:
    for path in (bench.root / ".git/dvtool").glob("memo*"):
        path.unlink()


EDITS: dict[str, Tree] = {
    "a file": {"text": "mine"},
    "a file that becomes a directory": {"text": {"mine": "mine"}},
    "a link": {"file-link": Link("mine")},
    "a new file where a directory will be": {"new": "mine"},
    "a new file in a directory that will be a file": {"dir-file": {"mine": "mine"}},
}


@pytest.mark.parametrize("memo", ["kept", "lost"])
@pytest.mark.parametrize("edit", EDITS)
def test_what_the_user_wrote_stops_a_switch_and_force_keeps_it(bench: Workbench, edit: str, memo: str) -> None:
    switch(bench, "v1")
    bench.checkout()
    for name in EDITS[edit]:
        if (bench.root / "data" / name).is_symlink() or (bench.root / "data" / name).is_file():
            (bench.root / "data" / name).unlink()
    create_tree(bench.root / "data", EDITS[edit])
    before = tree_of(bench.root / "data")
    switch(bench, "v2")
    if memo == "lost":
        lose_memo(bench)
    stopped = bench.checkout()
    assert stopped.conflicts
    with pytest.raises(DvtoolError, match="of your own"):
        raise_for(stopped, CheckoutRequest())
    assert tree_of(bench.root / "data") == before
    forced = bench.checkout(force=True)
    raise_for(forced, CheckoutRequest())
    kept = Kept(os.fsencode(bench.root / ".git/dvtool")).read()
    mine = {one.path: bench.cache.read_blob(one.oid) for one in kept}
    assert edit == "a link" or b"mine" in mine.values()
    assert_tree(bench.root / "data", VERSIONS["v2"])


def test_untracked_files_stay_and_so_do_their_directories(bench: Workbench) -> None:
    switch(bench, "v1")
    bench.checkout()
    mine: Tree = {"mine": "1", "left": {"b": {"mine": "2"}, "link": Link("a")}}
    create_tree(bench.root / "data", mine)
    switch(bench, "v2")
    result = bench.checkout()
    assert set(result.kept) == {b"data/mine", b"data/left/b/mine", b"data/left/link"}
    assert_tree(bench.root / "data", {**VERSIONS["v2"], **mine})


def test_ignored_files_in_the_way_are_named_and_the_rest_is_placed(bench: Workbench) -> None:
    switch(bench, "v4")
    bench.checkout()
    (bench.root / ".dvtoolignore").write_text("/data/new\n/data/text\n")
    create_tree(bench.root / "data", {"new": "in the way of a directory", "text": "in the way of a file"})
    bench.git("checkout", "-q", "v2", "--", "data.dvt")
    result = bench.checkout()
    assert {each.path for each in result.problems} == {b"data/new", b"data/text"}
    expected = {**VERSIONS["v2"], "new": "in the way of a directory", "text": "in the way of a file"}
    assert_tree(bench.root / "data", expected)


def test_a_version_without_the_pointer_takes_away_what_was_placed(bench: Workbench) -> None:
    switch(bench, "v1")
    bench.checkout()
    create_tree(bench.root / "data", {"left": {"mine": "1"}})
    bench.git("rm", "-q", "data.dvt")
    bench.checkout()
    assert_tree(bench.root / "data", {"left": {"mine": "1"}})


def test_one_path_of_a_directory(bench: Workbench) -> None:
    switch(bench, "v1")
    bench.checkout()
    bench.settle()
    (bench.root / "data/text").unlink()
    shutil.rmtree(bench.root / "data/left")
    create_tree(bench.root / "data", {"same": "edited"})
    bench.checkout("data/text")
    bench.checkout("data/left/b/c")
    assert bench.status().files_hashed <= 1
    assert bench.changes() == {("modified", "data/same"), ("deleted", "data/left/a")}
    bench.checkout("data/left")
    bench.checkout("data/same", force=True)
    assert_tree(bench.root / "data", VERSIONS["v1"])
    assert (bench.changes(), bench.status().files_hashed) == (set(), 0)


def test_a_damaged_object_does_not_keep_the_others_away(bench: Workbench) -> None:
    switch(bench, "v1")
    loose = Path(os.fsdecode(bench.cache.loose_path(object_id(LARGE))))
    damage(loose, 1000)
    result = bench.checkout()
    assert [each.path for each in result.problems] == [b"data/large"]
    expected = {name: node for name, node in VERSIONS["v1"].items() if name != "large"}
    assert_tree(bench.root / "data", expected)
    loose.unlink()
    result = bench.checkout()
    assert [each.path for each in result.missing] == [b"data/large"]
    with pytest.raises(MissingData, match="data/large"):
        raise_for(result, CheckoutRequest())
    raise_for(result, CheckoutRequest(allow_missing=True))
    assert_tree(bench.root / "data", expected)


def test_the_users_file_where_one_was_missing_is_protected(bench: Workbench) -> None:
    test_a_damaged_object_does_not_keep_the_others_away(bench)
    create_tree(bench.root / "data", {"large": "my own"})
    switch(bench, "v2")
    assert [each.path for each in bench.checkout().conflicts] == [b"data/large"]
    assert (bench.root / "data/large").read_text() == "my own"


@pytest.mark.parametrize("rest", ["", "t", "tw"])
def test_a_small_file_torn_by_a_kill_is_written_again(bench: Workbench, rest: str) -> None:
    switch(bench, "v2")
    bench.checkout()
    (bench.root / "data/text").write_text(rest)
    assert bench.checkout().conflicts
    (bench.root / ".git/dvtool/checkout").touch()
    assert not bench.checkout().conflicts
    assert_tree(bench.root / "data", VERSIONS["v2"])
    assert not (bench.root / ".git/dvtool/checkout").exists()


def test_a_kill_excuses_no_edit(bench: Workbench) -> None:
    switch(bench, "v2")
    bench.checkout()
    (bench.root / "data/text").write_text("twx")
    (bench.root / ".git/dvtool/checkout").touch()
    assert bench.checkout().conflicts
    assert (bench.root / "data/text").read_text() == "twx"


def test_a_link_in_the_place_of_the_whole_directory(bench: Workbench, tmp_path: Path) -> None:
    switch(bench, "v1")
    shutil.rmtree(bench.root / "data")
    (tmp_path / "elsewhere").mkdir()
    (bench.root / "data").symlink_to(tmp_path / "elsewhere")
    assert bench.checkout().conflicts
    assert bench.changes()
    shutil.rmtree(bench.root / ".git/dvtool")
    assert bench.changes() == {("modified", "data")}
    assert (bench.root / "data").is_symlink()
    assert os.listdir(tmp_path / "elsewhere") == []


def test_an_edit_in_the_tick_of_the_checkout_is_seen(bench: Workbench) -> None:
    for number in range(20):
        switch(bench, ("v1", "v2")[number % 2])
        bench.checkout()
        path = bench.root / "data/same"
        with open(path, "r+b") as file:
            file.write(b"SAME")
        link = os.readlink(bench.root / "data/retarget")
        (bench.root / "data/retarget").unlink()
        (bench.root / "data/retarget").symlink_to(link.upper())
        assert bench.changes() == {("modified", "data/same"), ("modified", "data/retarget")}
        bench.checkout(force=True)

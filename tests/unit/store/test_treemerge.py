"""Merging directories, against a merge of every path by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from dvtool.errors import FormatError
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import MAX_DEPTH
from dvtool.model.tree import Entry
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry
from dvtool.store.treediff import diff_trees
from dvtool.store.treemerge import TreeMerge
from dvtool.store.treemerge import merge_trees
from dvtool.store.trees import entries
from dvtool.store.trees import walk
from tests.unit.store.test_treediff import Node
from tests.unit.store.test_treediff import Pages
from tests.unit.store.test_treediff import directories

Dir = dict[bytes, Node]


def merge(base: Dir | None, ours: Dir, theirs: Dir) -> tuple[Dir, set[bytes]]:
    """The merged directory as it is declared, and the paths in conflict."""
    pages = Pages()
    result = merged(pages, base, ours, theirs)
    known = {}
    for side in (base or {}, ours, theirs):
        known.update(contents(pages, side))
    return read(pages, result.tree, known), {one.path for one in result.conflicts}


def merged(pages: Pages, base: Dir | None, ours: Dir, theirs: Dir) -> TreeMerge:
    trees = None if base is None else pages.tree(base), pages.tree(ours), pages.tree(theirs)
    return merge_trees(pages.load, pages.put, *trees)


def contents(pages: Pages, side: Dir) -> dict[tuple[object, ...], Node]:
    found: dict[tuple[object, ...], Node] = {}
    for name, node in side.items():
        if isinstance(node, dict):
            found.update(contents(pages, node))
        else:
            found[pages.entry(name, node)[1:]] = node
    return found


def read(pages: Pages, tree: TreeRef, known: dict[tuple[object, ...], Node]) -> Dir:
    top: Dir = {}
    for path, entry in walk(pages.load, tree):
        at = top
        *above, name = path.split(b"/")
        for each in above:
            below = at[each]
            assert isinstance(below, dict)
            at = below
        at[name] = {} if entry.kind == DIRECTORY else known[entry[1:]]
    return top


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        ({}, {b"a": 1}, {b"b": 2}, {b"a": 1, b"b": 2}),
        ({b"a": 2, b"b": 2}, {b"a": 3, b"b": 2}, {b"a": 2, b"b": 4}, {b"a": 3, b"b": 4}),
        ({b"a": 2, b"b": 2}, {b"b": 2}, {b"a": 2}, {}),
        ({b"a": 2}, {b"a": 3}, {b"a": 3}, {b"a": 3}),
        ({b"d": {b"a": 2}}, {}, {b"d": {b"a": 2, b"b": 3}}, {b"d": {b"b": 3}}),
        ({b"d": {b"a": 2}}, {b"d": {b"a": 2, b"b": 3}}, {}, {b"d": {b"b": 3}}),
        ({b"d": {b"a": 2, b"b": 2}}, {b"d": {b"a": 2}}, {b"d": {b"b": 2}}, {b"d": {}}),
        ({b"d": {b"e": {b"a": 2}}}, {b"d": {b"e": {b"a": 3}}}, {b"d": {b"e": {b"a": 2}, b"l": "to"}}, None),
        ({b"a": 2}, {b"d": {b"x": 2}}, {b"a": 2, b"d": {b"y": 3}}, {b"d": {b"x": 2, b"y": 3}}),
        ({b"a": 2}, {b"a": {b"x": 2}}, {b"a": {b"y": 3}}, {b"a": {b"x": 2, b"y": 3}}),
        ({b"a": False}, {b"a": True}, {b"a": True}, {b"a": True}),
    ],
)
def test_what_both_did_comes_together(base: Dir, ours: Dir, theirs: Dir, expected: Dir | None) -> None:
    if expected is None:
        expected = {b"d": {b"e": {b"a": 3}, b"l": "to"}}
    assert merge(base, ours, theirs) == (expected, set())
    assert merge(base, theirs, ours) == (expected, set())


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "paths", "kept"),
    [
        ({b"a": 2}, {b"a": 3}, {b"a": 4}, {b"a"}, {b"a": 3}),
        (None, {b"a": 3}, {b"a": 4, b"b": 2}, {b"a"}, {b"a": 3, b"b": 2}),
        ({b"a": 2}, {}, {b"a": 4}, {b"a"}, {b"a": 4}),
        ({b"a": 2}, {b"a": 4}, {}, {b"a"}, {b"a": 4}),
        ({b"d": {b"a": 2, b"b": 2}}, {}, {b"d": {b"a": 3, b"b": 2}}, {b"d/a"}, {b"d": {b"a": 3}}),
        ({b"d": {b"a": 2}}, {b"d": 3}, {b"d": {b"a": 4}}, {b"d"}, {b"d": 3}),
        ({b"a": "to"}, {b"a": "other"}, {b"a": 2}, {b"a"}, {b"a": "other"}),
        ({b"d": {b"a": 2}}, {b"d": {b"a": 3, b"b": 3}}, {b"d": {b"a": 4, b"c": 3}}, {b"d/a"}, None),
    ],
)
def test_what_both_changed_otherwise_is_named(
    base: Dir | None, ours: Dir, theirs: Dir, paths: set[bytes], kept: Dir | None
) -> None:
    if kept is None:
        kept = {b"d": {b"a": 3, b"b": 3, b"c": 3}}
    assert merge(base, ours, theirs) == (kept, paths)


def test_a_conflict_holds_both_sides() -> None:
    pages = Pages()
    result = merged(pages, {b"d": {b"a": 2}}, {b"d": {b"a": 3}}, {b"d": {}})
    (conflict,) = result.conflicts
    assert conflict.path == b"d/a"
    assert [conflict.base, conflict.ours] == [pages.entry(b"a", 2), pages.entry(b"a", 3)]
    assert conflict.theirs is None
    assert conflict.kept == conflict.ours


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        ({b"a": 2}, {b"b": 2}, {b"a": 3}, {b"b": 3}),
        ({b"a": 2}, {b"d": {b"b": 2}}, {b"a": 3, b"c": 4}, {b"c": 4, b"d": {b"b": 3}}),
        (
            {b"d": {b"a": 2, b"b": 4}},
            {b"e": {b"a": 2, b"b": 4}},
            {b"d": {b"a": 3, b"b": 4}},
            {b"e": {b"a": 3, b"b": 4}},
        ),
        ({b"d": {b"f": {b"a": 2}}}, {b"e": {b"f": {b"a": 2}}}, {b"d": {b"f": {b"a": 3}}}, {b"e": {b"f": {b"a": 3}}}),
        ({b"a": 2, b"z": 3}, {b"b": 2, b"z": 4}, {b"a": "to", b"z": 3}, {b"b": "to", b"z": 4}),
        ({b"a": False, b"z": 2}, {b"b": False, b"z": 2}, {b"a": True, b"z": 3}, {b"b": True, b"z": 3}),
    ],
)
def test_a_change_follows_a_file_that_the_other_side_moved(base: Dir, ours: Dir, theirs: Dir, expected: Dir) -> None:
    assert merge(base, ours, theirs) == (expected, set())
    assert merge(base, theirs, ours) == (expected, set())


def test_a_move_to_where_the_other_side_put_something_is_a_conflict() -> None:
    assert merge({b"a": 2}, {b"b": 2}, {b"a": 3, b"b": 4}) == ({b"a": 3, b"b": 2}, {b"a", b"b"})


def test_bytes_of_one_side_and_the_mode_of_the_other() -> None:
    pages = Pages()
    plain, executable = pages.entry(b"a", 1), pages.entry(b"a", True)
    assert plain.raw == executable.raw
    changed = pages.entry(b"a", 2)
    trees = [pages.tree_of_entries([each]) for each in (plain, executable, changed)]
    for ours, theirs in (trees[1:], trees[:0:-1]):
        result = merge_trees(pages.load, pages.put, trees[0], ours, theirs)
        assert result == TreeMerge(pages.tree_of_entries([changed._replace(executable=True)]), ())


def flat(pages: Pages, node: Dir | None) -> dict[bytes, Entry]:
    """Files and links by path."""
    if node is None:
        return {}
    return {path: entry for path, entry in walk(pages.load, pages.tree(node)) if entry.kind != DIRECTORY}


@settings(max_examples=300)
@given(base=st.none() | directories, ours=directories, theirs=directories)
def test_no_change_of_either_side_is_lost_in_silence(base: Dir | None, ours: Dir, theirs: Dir) -> None:
    pages = Pages()
    result = merged(pages, base, ours, theirs)
    at_base, mine, other = flat(pages, base), flat(pages, ours), flat(pages, theirs)
    found = {path: entry for path, entry in walk(pages.load, result.tree) if entry.kind != DIRECTORY}
    named = tuple(one.path for one in result.conflicts)
    placed = {entry[1:] for entry in found.values()}
    for path in at_base.keys() | mine.keys() | other.keys():
        old, left, right = at_base.get(path), mine.get(path), other.get(path)
        if any(path == name or path.startswith(name + b"/") for name in named):
            continue
        wanted = left if right in (left, old) else right
        if right in (left, old) or left == old:
            is_target = old is None and wanted is not None and wanted[1:] in {entry[1:] for entry in at_base.values()}
            was_moved = path not in found and wanted is not None and wanted[1:] in placed
            assert found.get(path) == wanted or was_moved or (is_target and path in found)
        else:
            assert path not in found
            assert None in (left, right)
    assert found.keys() <= mine.keys() | other.keys()


@settings(max_examples=100)
@given(base=directories, ours=directories)
def test_one_side_alone_is_taken_as_it_is(base: Dir, ours: Dir) -> None:
    pages = Pages()
    for sides in ((ours, base), (base, ours), (ours, ours)):
        assert merged(pages, base, *sides) == TreeMerge(pages.tree(ours), ())


@settings(max_examples=200)
@given(base=st.none() | directories, ours=directories, theirs=directories)
def test_both_orders_give_the_same_conflicts(base: Dir | None, ours: Dir, theirs: Dir) -> None:
    pages = Pages()
    one, other = merged(pages, base, ours, theirs), merged(pages, base, theirs, ours)
    assert [each.path for each in one.conflicts] == [each.path for each in other.conflicts]
    if not one.conflicts:
        assert one.tree == other.tree


def test_only_pages_that_differ_are_read() -> None:
    pages = Pages()
    base: Dir = {b"d%d" % number: {b"f%05d" % each: each for each in range(5_000)} for number in range(10)}
    ours: Dir = {**base, b"d1": {**base[b"d1"], b"new": 1}}  # type: ignore[dict-item]
    theirs: Dir = {**base, b"d1": {**base[b"d1"], b"f00077": 9}, b"d2": {b"other": 2}}  # type: ignore[dict-item]
    trees = [pages.tree(each) for each in (base, ours, theirs)]
    written = len(pages)
    pages.reads = 0
    result = merge_trees(pages.load, pages.put, *trees)
    assert result.conflicts == ()
    assert pages.reads < 40
    assert len(pages) - written <= 4
    changes = [change.path for change in diff_trees(pages.load, trees[1], pages.load, result.tree)]
    assert len(changes) == 5_002


def test_a_directory_of_one_side_is_not_read() -> None:
    pages = Pages()
    base = pages.tree({b"a": 2})
    unread = pages.entry(b"big", {b"x": 1})
    del pages[unread.oid]
    ours = pages.tree_of_entries([pages.entry(b"a", 2), unread])
    theirs = pages.tree({b"a": 3})
    result = merge_trees(pages.load, pages.put, base, ours, theirs)
    assert result == TreeMerge(pages.tree_of_entries([pages.entry(b"a", 3), unread]), ())


def test_directories_inside_each_other_without_end_are_refused() -> None:
    pages = Pages()

    def deep(number: int) -> TreeRef:
        tree = pages.tree({b"f": number})
        for _ in range(MAX_DEPTH + 2):
            tree = pages.tree_of_entries([directory_entry(b"d", tree)])
        return tree

    with pytest.raises(FormatError, match="deeper"):
        merge_trees(pages.load, pages.put, deep(2), deep(3), deep(4))


def test_equal_directories_in_many_places_are_merged_once() -> None:
    """Twenty levels of two equal directories are a million of them."""
    pages = Pages()

    def doubled(number: int) -> TreeRef:
        tree = pages.tree({b"x": number, b"%d" % number: 1})
        for _ in range(20):
            tree = pages.tree_of_entries([directory_entry(name, tree) for name in (b"a", b"b")])
        return tree

    base, ours = doubled(2), doubled(2)
    theirs = doubled(3)
    assert merge_trees(pages.load, pages.put, base, ours, theirs).tree == theirs
    mine = pages.tree_of_entries([*entries(pages.load, base), pages.entry(b"c", 1)])
    pages.reads = 0
    merge_trees(pages.load, pages.put, base, mine, theirs)
    assert pages.reads < 100

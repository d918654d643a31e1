"""What differs between two directories, against a comparison of every path."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from dvtool.errors import FormatError
from dvtool.formats.tree import encode_leaf
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import MAX_DEPTH
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.model.tree import cut_pages
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.model.tree import link_entry
from dvtool.store.treediff import EntryChange
from dvtool.store.treediff import diff_entries
from dvtool.store.treediff import diff_trees
from dvtool.store.treediff import differing
from dvtool.store.trees import join_pages
from dvtool.store.trees import totals

Node = int | str | bool | dict[bytes, "Node"]
"""A number is a file with that content, a truth value an executable one, a text a link, a dict a directory."""


class Pages(dict[bytes, bytes]):
    reads = 0

    def put(self, page: bytes) -> ObjectId:
        oid = object_id(page)
        self[oid] = page
        return oid

    def load(self, oid: ObjectId) -> bytes:
        self.reads += 1
        return self[oid]

    def tree(self, node: dict[bytes, Node]) -> TreeRef:
        return self.tree_of_entries([self.entry(name, node[name]) for name in sorted(node)])

    def tree_of_entries(self, rows: list[Entry]) -> TreeRef:
        refs = []
        start = 0
        for end in cut_pages([row.name for row in rows]):
            stretch = rows[start:end]
            last = stretch[-1].name if stretch else b""
            refs.append(PageRef(last, self.put(encode_leaf(stretch)), *totals(stretch)))
            start = end
        return join_pages(refs, self.put)

    def entry(self, name: bytes, node: Node) -> Entry:
        if isinstance(node, dict):
            return directory_entry(name, self.tree(node))
        if isinstance(node, str):
            return link_entry(name, node.encode())
        return file_entry(name, object_id(b"%d" % int(node)), 1, isinstance(node, bool))

    def leaves(self, node: Node | None, path: bytes) -> dict[bytes, Entry]:
        """What a diff may list: files, links, and directories without any."""
        if node is None:
            return {}
        if not isinstance(node, dict):
            return {path: self.entry(path.rpartition(b"/")[2], node)}
        found: dict[bytes, Entry] = {}
        for name, child in node.items():
            below = path + b"/" + name
            if isinstance(child, dict) and not files(child):
                found[below] = self.entry(name, child)
            found.update(self.leaves(child, below))
        return found or {path: self.entry(path.rpartition(b"/")[2], node)}


def files(node: Node) -> int:
    return sum(map(files, node.values())) if isinstance(node, dict) else 1


names = st.sampled_from([b"a", b"b", b"b0", b"b-", b"c", b"\xff"])
values = st.integers(2, 4) | st.booleans() | st.sampled_from(["to", "other"])
nodes: st.SearchStrategy[Node] = st.recursive(
    values, lambda below: st.dictionaries(names, below, max_size=4), max_leaves=12
)
directories = st.dictionaries(names, nodes, max_size=5)


@settings(max_examples=300)
@given(old=st.none() | nodes, new=st.none() | nodes, whole=st.booleans())
def test_a_diff_lists_every_difference_once(old: Node | None, new: Node | None, *, whole: bool) -> None:
    pages = Pages()
    before = None if old is None else pages.entry(b"d", old)
    after = None if new is None else pages.entry(b"d", new)
    changes = list(diff_entries(pages.load, before, pages.load, after, b"d", whole=whole))
    assert len({(path, was is None) for path, was, _ in changes}) == len(changes)
    state = dict(pages.leaves(old, b"d"))
    for path, was, now in changes:
        assert was != now
        if was is not None:
            assert state.pop(path) == was
    for path, _, now in changes:
        if now is not None:
            if whole and now.kind == DIRECTORY:
                state.update(pages.leaves(inside(new, path), path))
            else:
                state[path] = now
    wanted = pages.leaves(new, b"d")
    assert only_files(state) == only_files(wanted)


def inside(node: Node | None, path: bytes) -> Node:
    for name in path.split(b"/")[1:]:
        assert isinstance(node, dict)
        node = node[name]
    assert node is not None
    return node


def only_files(state: dict[bytes, Entry]) -> dict[bytes, Entry]:
    return {path: entry for path, entry in state.items() if entry.kind != DIRECTORY}


@given(old=directories, new=directories)
def test_of_two_directories_the_paths_come_in_order(old: dict[bytes, Node], new: dict[bytes, Node]) -> None:
    pages = Pages()
    a, b = pages.tree(old), pages.tree(new)
    forth = list(diff_trees(pages.load, a, pages.load, b))
    back = list(diff_trees(pages.load, b, pages.load, a))
    assert {(change.path, change.old, change.new) for change in forth if change.old and change.new} == {
        (change.path, change.new, change.old) for change in back if change.old and change.new
    }
    tops = [change.path.split(b"/")[0] for change in forth]
    assert tops == sorted(tops)
    assert (not forth) == (a.oid == b.oid)


WIDE = {b"f%05d" % number: number for number in range(5_000)}


@pytest.mark.parametrize("edit", ["insert", "delete", "change"])
def test_a_change_in_a_wide_directory_reads_few_pages(edit: str) -> None:
    pages = Pages()
    new = dict(WIDE)
    if edit == "insert":
        new[b"f00042x"] = 7
    elif edit == "delete":
        del new[b"f00042"]
    else:
        new[b"f00042"] = 7
    before, after = pages.tree(dict(WIDE)), pages.tree(dict(new))
    pages.reads = 0
    (change,) = diff_trees(pages.load, before, pages.load, after)
    assert change.path.startswith(b"f00042")
    assert pages.reads <= 8


def test_equal_directories_are_not_read() -> None:
    pages = Pages()
    tree = pages.tree({b"d": {b"x": 2}})
    pages.clear()
    assert list(diff_trees(pages.load, tree, pages.load, tree)) == []


def test_a_new_directory_is_not_read_where_it_comes_whole() -> None:
    pages = Pages()
    new = pages.entry(b"d", {b"x": 2, b"y": {b"z": 3}})
    pages.clear()
    changes = list(diff_entries(pages.load, None, pages.load, new, b"d", whole=True))
    assert changes == [EntryChange(b"d", None, new)]


def test_what_differs_in_one_directory_alone() -> None:
    pages = Pages()
    before, after = pages.tree({b"a": 2, b"b": {b"x": 2}, b"c": 4}), pages.tree({b"b": {b"x": 3}, b"c": 4, b"d": 5})
    found = differing(pages.load, before, pages.load, after)
    assert [(name, old is None, new is None) for name, old, new in found] == [
        (b"a", False, True),
        (b"b", False, False),
        (b"d", True, False),
    ]


def test_chains_of_directories_end_in_an_error() -> None:
    pages = Pages()
    old, new = pages.tree({b"x": 2}), pages.tree({b"x": 3})
    for _ in range(2_000):
        old, new = (TreeRef(pages.put(encode_leaf([directory_entry(b"d", one)])), 1, 1) for one in (old, new))
    with pytest.raises(FormatError, match=f"deeper than {MAX_DEPTH}"):
        list(diff_trees(pages.load, old, pages.load, new))

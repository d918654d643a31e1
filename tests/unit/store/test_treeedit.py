"""Editing a stored directory gives exactly the tree that building it from scratch gives."""

from __future__ import annotations

import random

import pytest

from dvtool.errors import UsageError
from dvtool.formats.tree import encode_leaf
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.model.tree import cut_pages
from dvtool.model.tree import file_entry
from dvtool.store.treeedit import edit_tree
from dvtool.store.treeedit import empty_tree
from dvtool.store.trees import entries
from dvtool.store.trees import join_pages
from dvtool.store.trees import lookup
from dvtool.store.trees import totals


class Pages(dict[bytes, bytes]):
    """A store of pages in memory that counts what is read."""

    reads = 0

    def put(self, page: bytes) -> ObjectId:
        oid = object_id(page)
        self[oid] = page
        return oid

    def load(self, oid: ObjectId) -> bytes:
        self.reads += 1
        return self[oid]


def build(pages: Pages, content: dict[bytes, int]) -> TreeRef:
    rows = [entry_of(name, content[name]) for name in sorted(content)]
    refs = []
    start = 0
    for end in cut_pages([row.name for row in rows]):
        stretch = rows[start:end]
        refs.append(PageRef(stretch[-1].name if stretch else b"", pages.put(encode_leaf(stretch)), *totals(stretch)))
        start = end
    return join_pages(refs, pages.put)


def entry_of(name: bytes, value: int) -> Entry:
    return file_entry(name, object_id(b"%d" % value), value, executable=False)


@pytest.mark.parametrize("count", [0, 1, 1_023, 1_024, 1_025, 3_000, 20_000])
def test_random_edits_give_the_tree_of_a_fresh_build(count: int) -> None:
    rng = random.Random(count)
    pages = Pages()
    content = {b"f%07d" % rng.randrange(10**7): rng.randrange(1000) for _ in range(count)}
    tree = build(pages, content)
    for _ in range(12):
        changes: dict[bytes, Entry | None] = {}
        for _ in range(rng.choice((1, 1, 2, 30))):
            if content and rng.random() < 0.5:
                name = rng.choice(sorted(content))
                del content[name]
                changes[name] = None
            else:
                name = b"f%07d" % rng.randrange(10**7)
                content[name] = rng.randrange(1000)
                changes[name] = entry_of(name, content[name])
        tree = edit_tree(pages.load, pages.put, tree, changes)
        assert tree == build(Pages(), content)
    assert [entry.name for entry in entries(pages.load, tree)] == sorted(content)


def test_one_change_in_a_wide_directory_reads_and_writes_few_pages() -> None:
    pages = Pages()
    tree = build(pages, {b"f%07d" % number: number for number in range(50_000)})
    before = len(pages)
    pages.reads = 0
    changed = edit_tree(pages.load, pages.put, tree, {b"f0000001": entry_of(b"f0000001", 7)})
    assert changed != tree
    assert pages.reads <= 4
    assert len(pages) - before <= 3


def test_deep_paths_make_and_keep_directories() -> None:
    pages = Pages()
    tree = edit_tree(
        pages.load, pages.put, empty_tree(pages.put), {b"a/b/c": entry_of(b"c", 1), b"a/d": entry_of(b"d", 2)}
    )
    found = lookup(pages.load, tree, b"a/b/c")
    assert found is not None and found.size == 1
    assert (tree.size, tree.files) == (3, 2)
    without = edit_tree(pages.load, pages.put, tree, {b"a/b/c": None, b"x/y": None})
    assert lookup(pages.load, without, b"a/b/c") is None
    assert lookup(pages.load, without, b"a/b") is not None
    assert lookup(pages.load, without, b"x") is None


def test_nothing_can_stand_below_a_file() -> None:
    pages = Pages()
    tree = build(pages, {b"f": 1})
    with pytest.raises(UsageError, match="is a file"):
        edit_tree(pages.load, pages.put, tree, {b"f/x": entry_of(b"x", 1)})

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dvtool.errors import MissingData
from dvtool.formats.tree import encode_leaf
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.tree import Entry
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.model.tree import link_entry
from dvtool.store.renames import Sorted
from dvtool.store.renames import find_renames
from dvtool.store.treecompare import TreeComparison
from dvtool.store.trees import totals

Node = str | tuple[str] | Mapping[str, "Node"]


class Pages:
    """Directories from nested mappings: text is a file, a 1-tuple the target of a link."""

    def __init__(self) -> None:
        self.pages: dict[bytes, bytes] = {}
        self.read: list[bytes] = []

    def entry(self, name: str, node: Node) -> Entry:
        if isinstance(node, str):
            return file_entry(name.encode(), object_id(node.encode()), len(node), executable=False)
        if isinstance(node, tuple):
            return link_entry(name.encode(), node[0].encode())
        entries = sorted(self.entry(*item) for item in node.items())
        page = encode_leaf(entries)
        oid = object_id(page)
        self.pages[oid] = page
        return directory_entry(name.encode(), TreeRef(oid, *totals(entries)))

    def get(self, oid: ObjectId) -> bytes:
        self.read.append(oid)
        if oid not in self.pages:
            raise MissingData("gone")
        return self.pages[oid]


def renames(pages: Pages, old: Mapping[str, Node], new: Mapping[str, Node]) -> Sorted:
    before, after = pages.entry("top", old), pages.entry("top", new)
    comparison = TreeComparison(pages.get, pages.get)
    deleted, added = [], []
    for path, one, other in comparison.changes(before, after, b"top"):
        if other is None and one is not None:
            deleted.append((path.removeprefix(b"top/"), one))
        elif one is None and other is not None:
            added.append((path.removeprefix(b"top/"), other))
    return find_renames(pages.get, deleted, pages.get, added)


def told(found: Sorted) -> tuple[list[str], list[str], list[str]]:
    return (
        [path.decode() for path, _ in found.added],
        [path.decode() for path, _ in found.deleted],
        [f"{one.old_path.decode()} > {one.new_path.decode()}" for one in found.moved],
    )


BIG = {f"{n}": f"content {n}" for n in range(5)}

CASES: dict[str, tuple[Mapping[str, Node], Mapping[str, Node], list[str], list[str], list[str]]] = {
    "file": ({"a": "x"}, {"b": "x"}, [], [], ["a > b"]),
    "other content": ({"a": "x"}, {"b": "y"}, ["b"], ["a"], []),
    "same name wins": ({"d": {"a": "x", "b": "x"}}, {"e": {"b": "x"}}, [], ["d/a"], ["d/b > e/b"]),
    "one to one": ({"a1": "x", "b": "x"}, {"c": "x", "a2": "x", "z": "x"}, ["z"], [], ["a1 > a2", "b > c"]),
    "directory": ({"d": BIG}, {"e": BIG}, [], [], ["d > e"]),
    "directory, deeper": ({"d": BIG}, {"x": {"y": BIG}}, [], [], ["d > x/y"]),
    "directory, up from a chain": ({"x": {"y": {"z": BIG}}}, {"d": BIG}, [], [], ["x/y/z > d"]),
    "whole chain": ({"x": {"y": BIG}}, {"z": {"y": BIG}}, [], [], ["x > z"]),
    "chains that end alike": (
        {"x": {"y": {"z": BIG}}},
        {"q": {"r": {"z": BIG}}},
        [],
        [],
        ["x/y > q/r"],
    ),
    "part of a directory": (
        {"d": {**BIG, "sub": BIG, "only": "old"}},
        {"e": {"sub": BIG, "more": "new"}},
        ["e/more"],
        ["d/0", "d/1", "d/2", "d/3", "d/4", "d/only"],
        ["d/sub > e/sub"],
    ),
    "files out of a directory": (
        {"d": {"a": "1", "b": "2"}},
        {"a": "1", "c": {"b": "2", "n": "3"}},
        ["c/n"],
        [],
        ["d/a > a", "d/b > c/b"],
    ),
    "empty file, same name": (
        {"d": {"__init__": ""}},
        {"e": {"__init__": "", "x": "1"}},
        ["e/x"],
        [],
        ["d/__init__ > e/__init__"],
    ),
    "empty file, other name": ({"a": ""}, {"b": ""}, ["b"], ["a"], []),
    "link, other name": ({"a": ("t",)}, {"b": ("t",)}, ["b"], ["a"], []),
    "empty directory": ({"a": {}}, {"b": {}}, ["b"], ["a"], []),
    "two equal directories": (
        {"p": {"d": BIG, "k": "1"}, "q": {"d": BIG, "k": "2"}},
        {"q2": {"d": BIG}},
        [],
        ["p/k", "q/d/0", "q/d/1", "q/d/2", "q/d/3", "q/d/4", "q/k"],
        ["p/d > q2/d"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_moved_content_is_found(case: str) -> None:
    old, new, added, deleted, moved = CASES[case]
    assert told(renames(Pages(), old, new)) == (added, deleted, moved)


def test_a_moved_directory_is_not_read() -> None:
    pages = Pages()
    moved = pages.entry("d", BIG)
    renames(pages, {"d": BIG}, {"e": BIG})
    assert moved.raw not in pages.read


def test_many_equal_files_pair_by_name_and_each_once() -> None:
    old = {"d": {f"{n:03}": "same" for n in range(120)}}
    new = {"e": {f"{n:03}": "same" for n in range(60, 200)}}
    found = renames(Pages(), old, new)
    pairs = {(one.old_path, one.new_path) for one in found.moved}
    assert {(b"d/%03d" % n, b"e/%03d" % n) for n in range(60, 120)} <= pairs
    assert len(pairs) == 120
    assert len({b for _, b in pairs}) == 120
    assert (len(found.added), len(found.deleted)) == (20, 0)


def test_an_unreadable_directory_stands_for_itself() -> None:
    pages = Pages()
    before = pages.entry("d", {"a": "1", "s": {"x": "2"}})
    pages.pages.pop(pages.entry("s", {"x": "2"}).raw)
    found = find_renames(pages.get, [(b"d", before)], pages.get, [])
    assert [path for path, _ in found.deleted] == [b"d/a", b"d/s"]
    assert [path for path, _ in found.unread] == [b"d/s"]


def test_an_unreadable_directory_still_moves() -> None:
    pages = Pages()
    entry = pages.entry("d", BIG)
    pages.pages.clear()
    found = find_renames(pages.get, [(b"d", entry)], pages.get, [(b"e", entry._replace(name=b"e"))])
    assert told(found) == ([], [], ["d > e"])
    assert not found.unread

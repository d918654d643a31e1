"""A few pages shared again and again: counted or refused, never followed to their end."""

from __future__ import annotations

import pytest

from dvtool.errors import UnsafeInput
from dvtool.formats.tree import encode_leaf
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.store import renames
from dvtool.store import treediff
from dvtool.store import trees
from dvtool.store import treesearch
from dvtool.store.treecompare import TreeComparison
from dvtool.store.treediff import diff_trees
from dvtool.store.trees import walk
from dvtool.store.treesearch import TreeSearch
from dvtool.store.treesearch import Wanted


class Pages(dict[bytes, bytes]):
    """A store of pages that counts how often one is read."""

    reads = 0

    def load(self, oid: ObjectId) -> bytes:
        self.reads += 1
        return self[oid]

    def put(self, page: bytes) -> ObjectId:
        oid = object_id(page)
        self[oid] = page
        return oid

    def bomb(self, content: bytes, depth: int) -> TreeRef:
        """Ten directories in each of ten directories, and so on; one file each in the last ones."""
        tree = TreeRef(self.put(encode_leaf([file_entry(b"f", object_id(content), 1, executable=False)])), 1, 1)
        for _ in range(depth):
            page = encode_leaf([directory_entry(b"%d" % number, tree) for number in range(10)])
            tree = TreeRef(self.put(page), 10 * tree.size, 10 * tree.files)
        return tree


def test_a_walk_does_not_begin() -> None:
    pages = Pages()
    with pytest.raises(UnsafeInput, match=r"^d: 1,000,000,000 files"):
        list(walk(pages.load, pages.bomb(b"x", 9), b"d/"))
    assert pages.reads == 0


def test_what_is_stated_as_the_most_is_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MOST_FILES", 100)
    pages = Pages()
    assert sum(entry.files for _, entry in walk(pages.load, pages.bomb(b"x", 2)) if entry.kind == 1) == 100
    with pytest.raises(UnsafeInput):
        next(walk(pages.load, pages.bomb(b"x", 3)))


@pytest.mark.parametrize(("most", "is_fine"), [(10, True), (9, False)])
def test_paths_of_one_digest(monkeypatch: pytest.MonkeyPatch, most: int, *, is_fine: bool) -> None:
    monkeypatch.setattr(treesearch, "MOST_HITS", most)
    pages = Pages()
    search = TreeSearch(pages.load, Wanted(object_id(b"x").hex()))
    if is_fine:
        assert len(search.hits(pages.bomb(b"x", 1), b"d")) == most
    else:
        with pytest.raises(UnsafeInput, match=r"^d/[0/]+ holds it at more than 9 paths"):
            search.hits(pages.bomb(b"x", 9), b"d")
    assert pages.reads < 100


@pytest.mark.parametrize("kind", ["diff", "comparison"])
def test_the_same_change_everywhere(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(treediff, "MOST_AGAIN", 1_000)
    pages = Pages()

    def changes(depth: int) -> int:
        old, new = pages.bomb(b"x", depth), pages.bomb(b"y", depth)
        if kind == "diff":
            return sum(1 for _ in diff_trees(pages.load, old, pages.load, new))
        entries = [directory_entry(b"d", tree) for tree in (old, new)]
        return sum(1 for _ in TreeComparison(pages.load, pages.load).changes(entries[0], entries[1], b"d"))

    # A hundred pairs of files, and the directories met before hold 9 x 10 + 99 changes.
    assert changes(2) == 100
    with pytest.raises(UnsafeInput, match="more than 1,000 changes"):
        changes(12)
    assert pages.reads < 10_000


def test_a_directory_of_too_many_files_stays_whole_where_moves_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renames, "MOST_FILES", 999)
    pages = Pages()
    huge = [directory_entry(b"d", pages.bomb(content, 2)) for content in (b"x", b"y")]
    found = renames.find_renames(pages.load, [(b"d", huge[0])], pages.load, [(b"e", huge[1])])
    assert [len(side) for side in (found.deleted, found.added, found.moved)] == [100, 100, 0]
    monkeypatch.setattr(renames, "MOST_FILES", 99)
    found = renames.find_renames(pages.load, [(b"d", huge[0])], pages.load, [(b"e", huge[1])])
    assert (found.deleted, found.added) == ([(b"d", huge[0])], [(b"e", huge[1])])

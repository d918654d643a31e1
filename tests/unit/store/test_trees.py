"""Directories in pages: joining ends, and hostile pages are found before anything relies on them."""

from __future__ import annotations

from itertools import islice

import pytest

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats.tree import Upper
from dvtool.formats.tree import decode_page
from dvtool.formats.tree import encode_leaf
from dvtool.formats.tree import encode_upper
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.tree import MAX_DEPTH
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.model.tree import cut_pages
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.model.tree import link_entry
from dvtool.store.trees import entries
from dvtool.store.trees import join_pages
from dvtool.store.trees import lookup
from dvtool.store.trees import page_oids
from dvtool.store.trees import totals
from dvtool.store.trees import walk

HASH_ZERO = b"B\xd5h\xe18\xd7'\xff"


class Pages(dict[bytes, bytes]):
    """A store of pages in memory."""

    def put(self, page: bytes) -> ObjectId:
        oid = object_id(page)
        self[oid] = page
        return oid

    def leaf(self, rows: list[Entry]) -> PageRef:
        return PageRef(rows[-1].name, self.put(encode_leaf(rows)), *totals(rows))

    def upper(self, level: int, refs: list[PageRef]) -> PageRef:
        size, files = sum(ref.size for ref in refs), sum(ref.files for ref in refs)
        return PageRef(refs[-1].last_name, self.put(encode_upper(level, refs)), size, files)

    def tree(self, names: list[bytes]) -> TreeRef:
        refs, start = [], 0
        for end in cut_pages(names):
            refs.append(self.leaf([row(name) for name in names[start:end]]))
            start = end
        return join_pages(refs, self.put)


def row(name: bytes, size: int = 1) -> Entry:
    return file_entry(name, object_id(name), size, executable=False)


def top(ref: PageRef) -> TreeRef:
    return TreeRef(ObjectId(ref.raw), ref.size, ref.files)


@pytest.mark.parametrize("count", [1_100, 9_000])
def test_a_name_that_ends_every_page_does_not_keep_a_directory_from_having_a_top(count: int) -> None:
    pages = Pages()
    names = sorted([HASH_ZERO, b"\xff", *(b"%06d" % number for number in range(count))])
    tree = pages.tree(names)
    assert [entry.name for entry in entries(pages.__getitem__, tree)] == names
    assert lookup(pages.__getitem__, tree, HASH_ZERO) == row(HASH_ZERO)
    assert len(set(page_oids(pages.__getitem__, tree))) == len(pages)


def test_every_page_of_a_wide_directory_is_listed_once() -> None:
    pages = Pages()
    tree = pages.tree([b"%06d" % number for number in range(5_000)])
    oids = list(page_oids(pages.__getitem__, tree))
    assert sorted(oids) == sorted(pages)


def first_two(pages: Pages) -> list[PageRef]:
    return [pages.leaf([row(b"a"), row(b"b")]), pages.leaf([row(b"c"), row(b"d")])]


def test_honest_pages_are_walked() -> None:
    pages = Pages()
    below = top(pages.upper(1, first_two(pages)))
    tree = top(pages.leaf([row(b"0"), directory_entry(b"dir", below), link_entry(b"l", b"x" * 9)]))
    assert tree[1:] == (5, 6)
    paths = [path for path, _ in walk(pages.__getitem__, tree)]
    assert paths == [b"0", b"dir", b"dir/a", b"dir/b", b"dir/c", b"dir/d", b"l"]
    assert lookup(pages.__getitem__, tree, b"dir/c") == row(b"c")
    assert lookup(pages.__getitem__, tree, b"dir/e") is None
    assert lookup(pages.__getitem__, tree, b"0/e") is None


@pytest.mark.parametrize(("size", "files"), [(9, 0), (0, 9), (-1, 0), (0, -1)])
@pytest.mark.parametrize("place", ["top", "page", "directory"])
def test_totals_that_lie_are_found(size: int, files: int, place: str) -> None:
    pages = Pages()
    refs = first_two(pages)
    if place == "page":
        refs[0] = refs[0]._replace(size=refs[0].size + size, files=refs[0].files + files)
    below = top(pages.upper(1, refs))
    if place == "directory":
        below = below._replace(size=below.size + size, files=below.files + files)
    tree = top(pages.leaf([directory_entry(b"dir", below)]))
    if place == "top":
        tree = tree._replace(size=tree.size + size, files=tree.files + files)
    with pytest.raises(IntegrityError, match="were stated"):
        list(walk(pages.__getitem__, tree))


def test_a_chain_of_directories_is_refused_and_not_followed_to_the_end() -> None:
    pages = Pages()
    tree = TreeRef(pages.put(encode_leaf([])), 0, 0)
    for _ in range(MAX_DEPTH):
        tree = top(pages.leaf([directory_entry(b"d", tree)]))
    assert sum(1 for _ in walk(pages.__getitem__, tree)) == MAX_DEPTH
    for _ in range(2_000):
        tree = top(pages.leaf([directory_entry(b"d", tree)]))
    with pytest.raises(FormatError, match="deeper"):
        list(walk(pages.__getitem__, tree))
    assert lookup(pages.__getitem__, tree, b"/".join([b"d"] * 2_000)) is not None


def test_a_chain_of_pages_is_refused() -> None:
    pages = Pages()
    ref = pages.leaf([row(b"z")])
    for _ in range(2_000):
        ref = pages.upper(2, [ref])
    with pytest.raises(IntegrityError):
        list(page_oids(pages.__getitem__, top(ref)))


def test_pages_that_are_not_what_the_page_above_says_are_found() -> None:
    pages = Pages()
    a, b = first_two(pages)
    wrong_name = [a._replace(last_name=b"bb"), b]
    inner = pages.upper(1, [a, b])
    other = pages.leaf([row(b"e"), row(b"f")])
    wrong_level = [inner, other]
    for tree in (
        pages.upper(1, wrong_name),
        pages.upper(2, wrong_level),
        pages.upper(1, [inner, other]),
        pages.upper(1, [a]),
        pages.upper(3, [inner, other]),
    ):
        with pytest.raises(IntegrityError):
            list(entries(pages.__getitem__, top(tree)))


def test_upper_pages_name_the_last_entry_below_them() -> None:
    pages = Pages()
    tree = pages.tree([b"%06d" % number for number in range(3_000)])
    page = decode_page(pages[tree.oid])
    assert isinstance(page, Upper)
    listed = entries(pages.__getitem__, tree)
    for ref in page.pages:
        leaf = list(islice(listed, ref.files))
        assert leaf[-1].name == ref.last_name
        assert pages.leaf(leaf) == ref

"""Trees: one directory as sorted entries, and where a wide one is cut into pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.digest import ObjectId
from dvtool.model.digest import algorithm_of_code

FILE = 1
DIRECTORY = 2
LINK = 3

WIDE = 1_024
"""A directory of up to so many entries is one page."""
PAGE_LIMIT = 4_096
"""No page holds more entries."""
LEVELS = 8
"""Leaf pages are level 0, the highest page is level 7."""
MAX_DEPTH = 200
"""Directories inside each other, from the project's top, that are walked: a chain of thousands costs nothing to make.

Python allows 1,000 calls inside each other. A walk of trees takes up to three a level, of a worktree four.
"""
LEVEL_BITS = 8
"""A name whose xxh3_64 ends in 8 zero bits ends its leaf page, in 16 also the page above, and so on."""
CUT_LEVELS = 4
"""Names end pages up to level 3 (32 zero bits); above, only `PAGE_LIMIT` does.

A name whose xxh3_64 is 0 can be made at will. If it ended a page on every level, a directory
with one such name would never come down to a single top page.
"""


class Entry(NamedTuple):
    """One name in a directory.

    ``size``: bytes of a file, of a link's target, or of all files below a directory.
    ``files``: files and links below a directory, 1 otherwise. ``raw`` is empty for a link,
    ``target`` for all else.
    """

    name: bytes
    kind: int
    executable: bool
    algorithm: int
    raw: bytes
    size: int
    files: int = 1
    target: bytes = b""

    @property
    def digest(self) -> Digest:
        return Digest(algorithm_of_code(self.algorithm), self.raw)

    @property
    def oid(self) -> ObjectId:
        """The address of a file or a directory page; of adopted data a name that no store knows."""
        return ObjectId(self.raw) if self.algorithm == BLAKE3_CODE else self.digest.oid

    def same_content(self, other: Entry) -> bool:
        """Equal in everything but the name."""
        return self[1:] == other[1:]


class PageRef(NamedTuple):
    """A page: its last name, its address, and the totals it must add up to.

    The last name is what decides where the page above ends, so the shape of a directory can be
    checked, and one page of it changed, without reading the others.
    """

    last_name: bytes
    raw: bytes
    size: int
    files: int


class TreeRef(NamedTuple):
    """A whole directory: its top page and the totals."""

    oid: ObjectId
    size: int
    files: int


BLAKE3_CODE = Algorithm.BLAKE3.code


def file_entry(name: bytes, oid: bytes, size: int, executable: bool) -> Entry:  # noqa: FBT001
    """An entry for a file that is stored under its BLAKE3 address."""
    return Entry(name, FILE, executable, BLAKE3_CODE, oid, size)


def directory_entry(name: bytes, tree: TreeRef) -> Entry:
    """An entry for a directory."""
    return Entry(name, DIRECTORY, False, BLAKE3_CODE, tree.oid, tree.size, tree.files)


def link_entry(name: bytes, target: bytes) -> Entry:
    """An entry for a symbolic link."""
    return Entry(name, LINK, False, 0, b"", len(target), 1, target)


def ends_page(name: bytes, level: int) -> bool:
    """True when *name*, the last one below an entry of a level-*level* page, ends that page."""
    return level < CUT_LEVELS and xxh3_64_intdigest(name) & ((1 << (LEVEL_BITS * (level + 1))) - 1) == 0


def cut_pages(names: Sequence[bytes], *, wide: bool = False) -> list[int]:
    """Where the leaf pages of a directory end: rising indexes, the last one ``len(names)``.

    *names* are all names of the directory, sorted. The same set of names gives the same
    pages, whatever its history. An empty directory has one empty page. With *wide* they are a
    stretch, from the start of a page, of a directory known to be wide.
    """
    count = len(names)
    if count <= WIDE and not wide:
        return [count]
    ends: list[int] = []
    start = 0
    mask = (1 << LEVEL_BITS) - 1
    for index, name in enumerate(names, 1):
        if index - start == PAGE_LIMIT or xxh3_64_intdigest(name) & mask == 0:
            ends.append(index)
            start = index
    if start != count:
        ends.append(count)
    return ends

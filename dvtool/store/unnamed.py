"""What a cache holds that no tree, pointer or recipe names."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Container
from collections.abc import Iterable
from collections.abc import Iterator
from typing import NamedTuple
from typing import Protocol

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TREE
from dvtool.formats.pack import TableEntry
from dvtool.formats.recipe import decode_recipe
from dvtool.formats.tree import Leaf
from dvtool.formats.tree import decode_page
from dvtool.model.digest import ObjectId
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.store.cache import Cache
from dvtool.store.names import parse_loose_name
from dvtool.store.packfile import Table
from dvtool.store.trees import totals

_FRESH = 256
_FRESH_SHARE = 16
"""Addresses of one shard that wait to be sorted in: so many, and one part in so many of it."""


class Orphan(NamedTuple):
    """An object without a name. ``when``: when its file in the cache was written, Unix seconds."""

    oid: ObjectId
    is_directory: bool
    size: int
    files: int
    when: float


class Pages(Protocol):
    """Where tree pages are read: a cache, or one with pages that are not stored."""

    def read_meta(self, oid: ObjectId, kind: int) -> bytes: ...


class Marks:
    """A set of addresses in 8 bytes each: their first 72 bits. A wrong hit only hides an orphan, or keeps too much."""

    def __init__(self) -> None:
        self._shards = [array("Q") for _ in range(256)]
        self._fresh: list[set[int]] = [set() for _ in range(256)]

    def __len__(self) -> int:
        return sum(map(len, self._shards)) + sum(map(len, self._fresh))

    def add(self, oid: bytes) -> None:
        value = int.from_bytes(oid[1:9], "big")
        fresh = self._fresh[oid[0]]
        if value not in fresh and not _holds(self._shards[oid[0]], value):
            fresh.add(value)
            if len(fresh) > _FRESH and len(fresh) * _FRESH_SHARE > len(self._shards[oid[0]]):
                self._shards[oid[0]] = array("Q", sorted([*self._shards[oid[0]], *fresh]))
                fresh.clear()

    def update(self, other: Marks) -> None:
        """Add all that *other* has."""
        for first, (shard, fresh) in enumerate(zip(other._shards, other._fresh, strict=True)):
            self._shards[first] = array("Q", sorted({*self._shards[first], *self._fresh[first], *shard, *fresh}))
            self._fresh[first].clear()

    def __contains__(self, oid: bytes) -> bool:
        value = int.from_bytes(oid[1:9], "big")
        return value in self._fresh[oid[0]] or _holds(self._shards[oid[0]], value)


def _holds(shard: array[int], value: int) -> bool:
    at = bisect_left(shard, value)
    return at < len(shard) and shard[at] == value


def mark_below(cache: Pages, pages: Iterable[ObjectId], marks: Marks) -> None:
    """Mark tree pages and all that they name, as far as the cache has it. Each page is read once."""
    todo = list(pages)
    seen: set[ObjectId] = set()
    while todo:
        oid = todo.pop()
        if oid in seen:
            continue
        seen.add(oid)
        marks.add(oid)
        for is_page, below in _names(cache, oid):
            if is_page:
                todo.append(below)
            else:
                marks.add(below)


def orphans(cache: Cache, named: Marks) -> Iterator[Orphan]:
    """Directories first, then the files that none of those holds. Adds what it passes to *named*.

    A directory whose files are all named elsewhere is left out: no bytes of it can get lost.
    """
    _mark_pieces(cache, named)
    pages = {ObjectId(entry.digest): when for entry, when in _packed(cache, META, TREE) if entry.digest not in named}
    below = {child for page in pages for is_page, child in _names(cache, page) if is_page}
    roots = sorted(page for page in pages if page not in below)
    for root in roots:
        if _holds_unnamed_file(cache, root, pages, named):
            orphan = _directory(cache, root, pages[root])
            if orphan is not None:
                yield orphan
    mark_below(cache, roots, named)
    seen: set[bytes] = set()
    for entry, when in _packed(cache, DATA, BYTES):
        if entry.digest not in named and entry.digest not in seen:
            seen.add(entry.digest)
            yield Orphan(ObjectId(entry.digest), is_directory=False, size=entry.size, files=1, when=when)
    for oid, size, when in _loose(cache):
        if oid not in named and oid not in seen:
            yield Orphan(oid, is_directory=False, size=size, files=1, when=when)


def _holds_unnamed_file(cache: Cache, root: ObjectId, unnamed_pages: Container[ObjectId], named: Marks) -> bool:
    todo = [root]
    while todo:
        for is_page, child in _names(cache, todo.pop()):
            if not is_page and child not in named:
                return True
            if is_page and child in unnamed_pages:
                todo.append(child)
    return False


def _packed(cache: Cache, pack_class: int, kind: int) -> Iterator[tuple[TableEntry, float]]:
    for key in list(cache.packs.keys()):
        if key.pack_class == pack_class:
            try:
                when = os.stat(cache.packs.path(key)).st_mtime
                table = Table(cache.packs.table(key))
            except (OSError, FormatError, IntegrityError):
                continue
            for entry in table.entries():
                if entry.kind == kind:
                    yield entry, when


def _loose(cache: Cache) -> Iterator[tuple[ObjectId, int, float]]:
    folder = os.path.join(cache.root, b"objects")
    for shard in range(256):
        try:
            names = os.listdir(os.path.join(folder, b"%02x" % shard))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in sorted(names):
            oid = parse_loose_name(f"objects/{shard:02x}/{os.fsdecode(name)}")
            if oid is not None:
                status = os.stat(cache.loose_path(oid))
                yield oid, status.st_size, status.st_mtime


def _mark_pieces(cache: Cache, marks: Marks) -> None:
    """The pieces of large files that came in whole packs are no files."""
    for entry, _ in _packed(cache, META, RECIPE):
        try:
            recipe = decode_recipe(cache.read_meta(ObjectId(entry.digest), RECIPE), "recipe")
        except (MissingData, IntegrityError, FormatError):
            continue
        for piece in recipe.pieces:
            marks.add(piece.digest)


def _names(cache: Pages, oid: ObjectId) -> Iterator[tuple[bool, ObjectId]]:
    """What a page names: pages and directories (True), files (False). Nothing for one that cannot be read."""
    try:
        page = decode_page(cache.read_meta(oid, TREE))
    except (MissingData, IntegrityError, FormatError):
        return
    if isinstance(page, Leaf):
        for entry in page.entries:
            if entry.kind in (FILE, DIRECTORY):
                yield entry.kind == DIRECTORY, ObjectId(entry.raw)
    else:
        for ref in page.pages:
            yield True, ObjectId(ref.raw)


def _directory(cache: Cache, oid: ObjectId, when: float) -> Orphan | None:
    try:
        page = decode_page(cache.read_meta(oid, TREE))
    except (MissingData, IntegrityError, FormatError):
        return None
    if isinstance(page, Leaf):
        size, files = totals(page.entries)
    else:
        size, files = sum(ref.size for ref in page.pages), sum(ref.files for ref in page.pages)
    return Orphan(oid, is_directory=True, size=size, files=files, when=when)

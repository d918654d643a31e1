"""From tracked paths to the objects that they need, level by level, so that pages can be fetched in batches."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import UsageError
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import TREE
from dvtool.formats.records import Root
from dvtool.formats.tree import Leaf
from dvtool.formats.tree import decode_page
from dvtool.hashing.digests import object_id
from dvtool.model.digest import Algorithm
from dvtool.model.digest import ObjectId
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.tree import BLAKE3_CODE
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.store.trees import totals
from dvtool.transfer.types import Wanted

PAGES_AT_ONCE = 256

_NO_OLDER: Mapping[bytes, ObjectId] = {}
_NOTHING = (0, b"")

LoadPages = Callable[[Sequence[ObjectId]], Mapping[ObjectId, bytes | DvtoolError]]
"""Bytes of tree pages, verified, or why there are none."""


class Need(NamedTuple):
    """An object that a tracked path needs: a tree page (`TREE`) or the bytes of a file (`BYTES`)."""

    oid: ObjectId
    kind: int
    size: int
    path: bytes


class Failed(NamedTuple):
    """A directory, or a part of one, that cannot be read."""

    path: bytes
    oid: ObjectId
    error: DvtoolError


class _Page(NamedTuple):
    path: bytes
    ref: PageRef
    level: int | None
    """What the page above says; None for a top page."""
    below: tuple[bytes, ...]
    old: bytes = b""
    """The page that stood here in an older directory, whose objects are not needed; empty for none."""


class Walk:
    """Iterates over the needs of *wanted*; afterwards ``failed`` tells what could not be read.

    Pages come before what they name. *older* gives for paths in *wanted* the top page of an older
    directory: what that holds in the same place is left out, unread.
    """

    def __init__(self, load: LoadPages, older: Mapping[bytes, ObjectId] = _NO_OLDER) -> None:
        self._load = load
        self._older = older
        self._seen: set[bytes] = set()
        self.failed: list[Failed] = []
        self.parts: list[Root] = []
        """What ``below`` chose, as roots of their own."""

    def needs(self, wanted: Iterable[Wanted]) -> Iterator[Need]:
        """Each object at least once, each page once. Raises `UsageError` for a path that is not in its directory."""
        frontier: list[_Page] = []
        for each in wanted:
            if not each.directory:
                yield Need(each.oid, BYTES, each.size, each.path)
                continue
            old = b"" if each.below else self._older.get(each.path, b"")
            if old != each.oid:
                ref = PageRef(b"", each.oid, each.size, each.files)
                frontier.append(_Page(each.path, ref, None, each.below, old))
        while frontier:
            following: list[_Page] = []
            for at in range(0, len(frontier), PAGES_AT_ONCE):
                yield from self._batch(frontier[at : at + PAGES_AT_ONCE], following)
            frontier = following

    def _batch(self, batch: list[_Page], following: list[_Page]) -> Iterator[Need]:
        oids = [ObjectId(page.ref.raw) for page in batch]
        loaded = self._load(list(dict.fromkeys(oids)))
        for oid, page in zip(oids, batch):
            if not page.below:
                if oid in self._seen:
                    continue
                self._seen.add(oid)
            data = loaded[oid]
            try:
                if isinstance(data, DvtoolError):
                    raise data
                needs = [Need(oid, TREE, len(data), page.path), *self._page(page, data, following)]
            except (FormatError, IntegrityError, MissingData) as error:
                self.failed.append(Failed(page.path, oid, error))
            else:
                yield from needs

    def _page(self, page: _Page, data: bytes, following: list[_Page]) -> Iterator[Need]:
        where = f"{show(page.path)}: blake3:{page.ref.raw.hex()}"
        decoded = decode_page(data, where)
        level = 0 if isinstance(decoded, Leaf) else decoded.level
        if page.level is not None and level != page.level:
            raise IntegrityError(f"{where}: not the page that the page above says")
        if isinstance(decoded, Leaf):
            found = totals(decoded.entries)
            last = decoded.entries[-1].name if decoded.entries else b""
        else:
            found = sum(ref.size for ref in decoded.pages), sum(ref.files for ref in decoded.pages)
            last = decoded.pages[-1].last_name
        if found != (page.ref.size, page.ref.files) or (page.ref.last_name and last != page.ref.last_name):
            raise IntegrityError(
                f"{where}: the page is not the one that was stated: {found[1]} files, {found[0]} bytes"
            )
        before = self._before(page, level)
        if isinstance(decoded, Leaf):
            yield from self._entries(page, decoded.entries, before, following)
            return
        if not page.below:
            for ref in decoded.pages:
                _, old = before.get(ref.last_name, _NOTHING)
                if old != ref.raw:
                    following.append(_Page(page.path, ref, level - 1, (), old))
            return
        for index, paths in _by_page([ref.last_name for ref in decoded.pages], page.below).items():
            if index == len(decoded.pages):
                raise _not_there(page.path, paths[0])
            following.append(_Page(page.path, decoded.pages[index], level - 1, paths))

    def _before(self, page: _Page, level: int) -> dict[bytes, tuple[int, bytes]]:
        """Kind and digest that each name had in the older page, or each page below it by its last name."""
        if not page.old:
            return {}
        data = self._load([ObjectId(page.old)])[ObjectId(page.old)]
        if isinstance(data, DvtoolError):
            return {}
        decoded = decode_page(data, show(page.path))
        if isinstance(decoded, Leaf):
            return {entry.name: (entry.kind, entry.raw) for entry in decoded.entries} if level == 0 else {}
        return {ref.last_name: (0, ref.raw) for ref in decoded.pages} if level == decoded.level else {}

    def _entries(
        self, page: _Page, entries: list[Entry], before: dict[bytes, tuple[int, bytes]], following: list[_Page]
    ) -> Iterator[Need]:
        chosen = _select(entries, page) if page.below else ((entry, ()) for entry in entries)
        prefix = page.path + b"/" if page.path else b""
        for entry, below in chosen:
            if page.below and not below and entry.kind != LINK and entry.algorithm == BLAKE3_CODE:
                self.parts.append(Root(entry.kind == DIRECTORY, entry.oid))
            if before and before.get(entry.name) == (entry.kind, entry.raw):
                continue
            if entry.kind == FILE:
                if below:
                    raise _not_there(page.path, join(entry.name, below[0]))
                oid = ObjectId(entry.raw) if entry.algorithm == BLAKE3_CODE else _alias_key(entry)
                yield Need(oid, BYTES, entry.size, prefix + entry.name)
            elif entry.kind == DIRECTORY:
                kind, old = before.get(entry.name, _NOTHING)
                ref = PageRef(b"", entry.raw, entry.size, entry.files)
                following.append(_Page(prefix + entry.name, ref, None, below, old if kind == DIRECTORY else b""))


def _alias_key(entry: Entry) -> ObjectId:
    """Adopted data is found under the BLAKE3 digest of its own digest's text form."""
    assert entry.algorithm != Algorithm.BLAKE3.code
    return object_id(str(entry.digest).encode("ascii"))


def _by_page(last_names: list[bytes], below: tuple[bytes, ...]) -> dict[int, tuple[bytes, ...]]:
    found: dict[int, tuple[bytes, ...]] = {}
    for path in below:
        index = bisect_left(last_names, path.partition(b"/")[0])
        found[index] = (*found.get(index, ()), path)
    return found


def _select(entries: list[Entry], page: _Page) -> Iterator[tuple[Entry, tuple[bytes, ...]]]:
    """The entries that ``below`` names, each with what is wanted below it: nothing means all."""
    by_name = {entry.name: entry for entry in entries}
    rests: dict[bytes, tuple[bytes, ...] | None] = {}
    for path in page.below:
        name, _, rest = path.partition(b"/")
        if name not in by_name:
            raise _not_there(page.path, path)
        before = rests.get(name, ())
        rests[name] = None if before is None or not rest else (*before, rest)
    for name, paths in rests.items():
        yield by_name[name], paths or ()


def _not_there(directory: bytes, path: bytes) -> UsageError:
    return UsageError(
        f"{show(path)} is not in the tracked directory {show(directory)}",
        path=path,
        hint=f"`dvtool list {show(directory)}` shows what is",
    )

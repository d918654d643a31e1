"""How many bytes a store keeps for tracked paths, and what several of them share. No data is read."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple
from typing import Protocol

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.formats.index import IndexedPack
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import FOOTER_BYTES
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TABLE_ENTRY_BYTES
from dvtool.formats.pack import unpack_table_entry
from dvtool.model.ports import SILENT
from dvtool.store.cache import Cache
from dvtool.store.chunker import CHUNKED_FROM
from dvtool.store.localpacks import PackKey
from dvtool.store.recipes import recipe_keys
from dvtool.store.recipes import whole_recipe
from dvtool.transfer.large import LargeBlobs
from dvtool.transfer.remotestore import RemoteStore
from dvtool.transfer.session import Session
from dvtool.transfer.types import Wanted
from dvtool.transfer.walk import Failed
from dvtool.transfer.walk import Need
from dvtool.transfer.walk import Walk

_LARGE_AT_ONCE = 16 << 30
"""Large files of so many bytes have their recipes in memory at once."""


class Part(NamedTuple):
    """A stored object that a file needs, and its share of the bytes of the record it lies in."""

    digest: bytes
    stored: int


class Usage(NamedTuple):
    """What is stored for one path. ``shared``: the part of ``stored`` that other paths measured with it need too.

    ``absent``: bytes of files that are not there, or not whole; each content counts once.
    """

    stored: int = 0
    shared: int = 0
    absent: int = 0


class Measured(NamedTuple):
    """One `Usage` for each path asked for, in order; ``stored``: all of it, each object once.

    ``failed``: listings that could not be read; what lies below those is not counted.
    """

    paths: list[Usage]
    stored: int
    failed: list[Failed]


class StoredSizes(Protocol):
    """Where objects lie in one store, and how large they are there."""

    def of(self, needs: Sequence[Need]) -> Iterator[tuple[Need, list[Part] | None]]:
        """What is stored for each; None for what is not there."""


class Spans:
    """The records of one pack: where each begins, its length, and the plain bytes in it."""

    def __init__(self, table: bytes, pack_size: int) -> None:
        entries = sorted(unpack_table_entry(table, at)[1:3] for at in range(0, len(table), TABLE_ENTRY_BYTES))
        self._starts = array("I")
        self._plain = array("I")
        for offset, group in groupby(entries, lambda entry: entry[0]):
            self._starts.append(offset)
            self._plain.append(sum(size for _, size in group))
        self._end = pack_size - FOOTER_BYTES - len(table)

    def share(self, offset: int, size: int) -> int:
        """The bytes that an object of *size* plain bytes takes of its record at *offset*."""
        at = bisect_right(self._starts, offset) - 1
        end = self._starts[at + 1] if at + 1 < len(self._starts) else self._end
        stored, plain = end - offset, self._plain[at]
        return stored * size // plain if plain else stored


class CacheSizes:
    """Sizes in the cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._spans: dict[PackKey, Spans] = {}

    def of(self, needs: Sequence[Need]) -> Iterator[tuple[Need, list[Part] | None]]:
        """As `StoredSizes`."""
        for need in needs:
            yield need, self.parts(need)

    def parts(self, need: Need) -> list[Part] | None:
        """What is stored for one object; None if it is not here."""
        packs = self._cache.packs
        place = packs.find(need.oid, DATA if need.kind == BYTES else META)
        if place is not None:
            if place.pack not in self._spans:
                self._spans[place.pack] = Spans(packs.table(place.pack), packs.keys()[place.pack])
            return [Part(need.oid, self._spans[place.pack].share(place.offset, place.size))]
        if need.kind == BYTES and self._cache.has_loose(need.oid):
            return [Part(need.oid, need.size)]
        return None


class RemoteSizes:
    """Sizes on a remote, as its index files and tables state them; recipes of large files are fetched."""

    def __init__(self, session: Session, store: RemoteStore) -> None:
        self._session = session
        self._store = store
        self._spans: dict[IndexedPack, Spans] = {}

    def of(self, needs: Sequence[Need]) -> Iterator[tuple[Need, list[Part] | None]]:
        """As `StoredSizes`."""
        large = {need.oid: need for need in needs if need.kind == BYTES and need.size >= CHUNKED_FROM}
        recipes = LargeBlobs(self._session, SILENT)
        stored = [oid for oid in large if any(each.kind == RECIPE for each in self._store.find(oid, META))]
        fetched, _ = recipes.remote_recipes(stored) if stored else ({}, {})
        for need in needs:
            if need.oid not in large:
                yield need, self._all([(need.oid, DATA if need.kind == BYTES else META, need.kind)])
            elif need.oid not in fetched:
                yield need, None
            else:
                try:
                    recipe = whole_recipe(need.oid, need.size, lambda key: recipes.page(key, fetched))
                except (FormatError, IntegrityError, MissingData):
                    yield need, None
                    continue
                yield (
                    need,
                    self._all(
                        [
                            *((key, META, RECIPE) for key in recipe_keys(recipe)),
                            *((piece.digest, DATA, BYTES) for piece in recipe.pieces),
                        ]
                    ),
                )

    def _all(self, objects: Iterable[tuple[bytes, int, int]]) -> list[Part] | None:
        parts: list[Part] = []
        for digest, pack_class, kind in objects:
            place = next((each for each in self._store.find(digest, pack_class) if each.kind == kind), None)
            if place is None:
                return None
            parts.append(Part(digest, self._spans_of(place.pack).share(place.offset, place.size)))
        return parts

    def _spans_of(self, pack: IndexedPack) -> Spans:
        if pack not in self._spans:
            self._spans = {each: Spans(table, each.size) for each, table in self._store.tables(_ANY)}
        return self._spans[pack]


_ANY = 1 << 62


def measure(session: Session, sizes: StoredSizes, wanted: Sequence[Wanted]) -> Measured:
    """What is stored for each of *wanted*. Listings come through *session*. Raises `StorageError`."""
    return _Measure(session, sizes, len(wanted)).run(wanted)


class _Measure:
    def __init__(self, session: Session, sizes: StoredSizes, paths: int) -> None:
        self._session = session
        self._sizes = sizes
        self._found = [Usage()] * paths
        self._owner: dict[bytes, int] = {}
        self._shared: set[bytes] = set()
        self._total = 0

    def run(self, wanted: Sequence[Wanted]) -> Measured:
        failed: list[Failed] = []
        for number, one in enumerate(wanted):
            walk = Walk(self._session.load_pages)
            seen: set[bytes] = set()
            for some in _in_groups(walk.needs([one])):
                fresh = {need.oid: need for need in some if need.oid not in seen}
                seen.update(fresh)
                for need, parts in self._sizes.of([*fresh.values()]):
                    self._add(number, need, parts, seen)
            failed += walk.failed
        return Measured(self._found, self._total, failed)

    def _add(self, number: int, need: Need, parts: list[Part] | None, seen: set[bytes]) -> None:
        stored, shared, absent = self._found[number]
        if parts is None:
            self._found[number] = Usage(stored, shared, absent + (need.size if need.kind == BYTES else 0))
            return
        for digest, amount in parts:
            if digest != need.oid:
                if digest in seen:
                    continue
                seen.add(digest)
            owner = self._owner.setdefault(digest, number)
            stored += amount
            if owner == number:
                self._total += amount
                continue
            shared += amount
            if digest not in self._shared:
                self._shared.add(digest)
                first = self._found[owner]
                self._found[owner] = first._replace(shared=first.shared + amount)
        self._found[number] = Usage(stored, shared, absent)


def _in_groups(needs: Iterable[Need]) -> Iterator[list[Need]]:
    group: list[Need] = []
    size = 0
    for need in needs:
        group.append(need)
        size += need.size
        if size >= _LARGE_AT_ONCE or len(group) >= 10_000:
            yield group
            group, size = [], 0
    if group:
        yield group

"""What is needed of the packs of a remote: one bit for each row of its index files."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
from enum import IntEnum
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from dvtool.formats.index import IndexedPack
from dvtool.formats.index import IndexReader
from dvtool.formats.pack import TABLE_ENTRY_BYTES
from dvtool.model.digest import ObjectId
from dvtool.transfer.collect.types import DeadObject
from dvtool.transfer.collect.types import PackUse
from dvtool.transfer.ranges import Wish

_LIVE_AT_ONCE = 1_000_000


class Standing(IntEnum):
    """How a pack stands; of several copies the one in the lowest is needed."""

    KEPT = 0
    CANDIDATE = 1
    DOOMED = 2
    IGNORED = 3
    """It is not there, or another index file speaks for it."""


class _PackRow(NamedTuple):
    reader: int
    row: int
    digest: bytes
    pack: IndexedPack
    offset: int
    size: int
    kind: int


_DIGEST_KIND = itemgetter(2, 6)


class Marks:
    """*standings*: how each pack that counts stands; all others are ignored."""

    def __init__(self, readers: Sequence[IndexReader], standings: dict[IndexedPack, Standing]) -> None:
        self._readers = readers
        self._standings: list[list[Standing]] = []
        spoken_for: set[IndexedPack] = set()
        for reader in readers:
            own = []
            for pack in reader.packs:
                standing = standings.get(pack, Standing.IGNORED)
                own.append(Standing.IGNORED if pack in spoken_for else standing)
                spoken_for.add(pack)
            self._standings.append(own)
        self._bits = [bytearray((reader.entry_count + 7) // 8) for reader in readers]

    def mark(self, digest: bytes, kind: int) -> tuple[bool, bool]:
        """The object is needed. Returns whether any pack holds it, and whether this was the first time.

        One that lies in doomed packs alone is needed in each of them: whoever finishes one of their lists must not
        rely on another, which somebody else may be deleting.
        """
        places = self._needed(digest, kind)
        first = False
        for number, row in places:
            bits = self._bits[number]
            bit = 1 << (row & 7)
            if not bits[row >> 3] & bit:
                bits[row >> 3] |= bit
                first = True
        return bool(places), first

    def _needed(self, digest: bytes, kind: int) -> list[tuple[int, int]]:
        best: list[tuple[int, int]] = []
        rank = Standing.DOOMED
        for number, reader in enumerate(self._readers):
            standings = self._standings[number]
            for row, place in reader.find_rows(digest):
                standing = standings[place.pack]
                if place.kind != kind or standing > rank:
                    continue
                if standing is Standing.KEPT:
                    return [(number, row)]
                if standing is Standing.DOOMED:
                    best.append((number, row))
                elif rank is Standing.DOOMED:
                    best, rank = [(number, row)], standing
        return best

    def _is_marked(self, reader: int, row: int) -> bool:
        return bool(self._bits[reader][row >> 3] & 1 << (row & 7))

    def uses(self, standing: Standing) -> Iterator[PackUse]:
        """How much is needed of each pack that stands so."""
        for number, reader in enumerate(self._readers):
            wanted = {at for at, each in enumerate(self._standings[number]) if each is standing}
            if not wanted:
                continue
            objects: Counter[int] = Counter()
            weight: Counter[int] = Counter()
            live: Counter[int] = Counter()
            live_weight: Counter[int] = Counter()
            for row, (_, pack, _, size, _) in enumerate(reader.rows()):
                if pack in wanted:
                    objects[pack] += 1
                    weight[pack] += size + TABLE_ENTRY_BYTES
                    if self._is_marked(number, row):
                        live[pack] += 1
                        live_weight[pack] += size + TABLE_ENTRY_BYTES
            for at in sorted(wanted):
                yield PackUse(reader.packs[at], objects[at], weight[at], live[at], live_weight[at])

    def live_in(self, packs: Collection[IndexedPack]) -> Iterator[dict[IndexedPack, list[Wish]]]:
        """The needed objects of *packs*, by where they lie, so many at once as memory bears."""
        found: dict[IndexedPack, list[Wish]] = {}
        count = 0
        for reader in range(len(self._readers)):
            for number, row, digest, pack, offset, size, kind in self._rows_of(packs, reader):
                if self._is_marked(number, row):
                    found.setdefault(pack, []).append(Wish(offset, ObjectId(digest), kind, size))
                    count += 1
            if count >= _LIVE_AT_ONCE:
                yield found
                found, count = {}, 0
        if found:
            yield found

    def dead_in(self, packs: Collection[IndexedPack]) -> Iterator[DeadObject]:
        """Objects of *packs* that nothing needs, by digest, each once. A further copy of a needed one is none."""
        streams = [self._rows_of(packs, number) for number in range(len(self._readers))]
        for (digest, kind), rows in groupby(heapq.merge(*streams, key=_DIGEST_KIND), key=_DIGEST_KIND):
            _, _, _, pack, _, size, _ = next(rows)
            needed = self._needed(digest, kind)
            if not needed or not self._is_marked(*needed[0]):
                yield DeadObject(digest, kind, size, pack)

    def _rows_of(self, packs: Collection[IndexedPack], number: int) -> Iterator[_PackRow]:
        """The rows that one index file has for *packs*."""
        chosen = set(packs)
        reader = self._readers[number]
        wanted = {
            at
            for at, pack in enumerate(reader.packs)
            if pack in chosen and self._standings[number][at] is not Standing.IGNORED
        }
        if wanted:
            for row, (digest, pack, offset, size, kind) in enumerate(reader.rows()):
                if pack in wanted:
                    yield _PackRow(number, row, digest, reader.packs[pack], offset, size, kind)

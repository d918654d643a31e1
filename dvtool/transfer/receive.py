"""Brings objects from remotes, each one verified, trying every copy before giving one up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from dvtool.formats.index import IndexedPack
from dvtool.formats.pack import META
from dvtool.formats.pack import TABLE_ENTRY_BYTES
from dvtool.model.digest import ObjectId
from dvtool.store.cache import LOOSE_FROM
from dvtool.store.packwriter import FinishedPack
from dvtool.transfer.parallel import Workers
from dvtool.transfer.presence import key_of
from dvtool.transfer.ranges import RangeJob
from dvtool.transfer.ranges import Wish
from dvtool.transfer.ranges import cut_ranges
from dvtool.transfer.ranges import read_range
from dvtool.transfer.remotestore import RemoteStore
from dvtool.transfer.whole import WholeJob
from dvtool.transfer.whole import WholeResult
from dvtool.transfer.whole import drop_whole
from dvtool.transfer.whole import receive_whole

_MANY = 1_000
_TABLES_PER_ITEM = 4
MEMORY = 64 << 20
"""So many bytes of objects are held for whoever takes them, at most."""
_WHOLE_AHEAD = 256 << 20
"""So many bytes of whole packs are under way at once: what a kill can cost, at most."""
META_WHOLE = 8 << 20
"""Packs of trees up to this size are taken whole: walking them page by page costs a request a level."""


class Item(NamedTuple):
    """An object to be received; ``size`` None where it is not known."""

    oid: ObjectId
    pack_class: int
    kind: int
    size: int | None


class Failure(NamedTuple):
    """Why an object could not be had: wrong bytes at ``key`` of ``remote``, or nowhere to be found (both empty)."""

    remote: str = ""
    key: str = ""

    @property
    def damaged(self) -> bool:
        """True when a copy was found and its bytes were wrong."""
        return bool(self.key)


def digests_of(table: bytes) -> set[bytes]:
    """The digests of all objects in a pack's table."""
    return {table[at : at + 32] for at in range(0, len(table), TABLE_ENTRY_BYTES)}


class _Source(NamedTuple):
    store: int
    pack: IndexedPack


class Receiver:
    """Receives objects from *stores*, the first that has one first.

    *tmp* is the folder for whole packs on their way; *sync* brings those to the medium.
    """

    def __init__(self, stores: Sequence[RemoteStore], workers: Workers, tmp: bytes, *, sync: bool) -> None:
        self._stores = stores
        self._workers = workers
        self._tmp = tmp
        self._sync = sync
        self._looked_again = False
        self._only_ranges: set[_Source] = set()
        self._strikes: defaultdict[tuple[ObjectId, _Source], int] = defaultdict(int)
        self._damaged_at: dict[ObjectId, Failure] = {}
        self.bytes_received = 0

    def receive(
        self,
        items: Iterable[Item],
        deliver: Callable[[Item, bytes], None],
        adopt: Callable[[FinishedPack], None] | None = None,
    ) -> dict[ObjectId, Failure]:
        """Hand every object over, verified, in any order: to *deliver*, or in a proved whole pack to *adopt*.

        Returns what could not be had. Raises `StorageError` for a failing network or disk.
        """
        pending = {item.oid: item for item in items}
        failures: dict[ObjectId, Failure] = {}
        while pending:
            groups: dict[_Source, list[tuple[int, Item]]] = defaultdict(list)
            nowhere: list[ObjectId] = []
            if adopt is not None and len(pending) >= _MANY:
                self._take_whole(self._wholly_wanted(pending), adopt, pending)
            for item in pending.values():
                found = self._choose(item)
                if found is None:
                    nowhere.append(item.oid)
                else:
                    source, offset, size = found
                    groups[source].append((offset, item._replace(size=size)))
            if nowhere and self._look_again():
                continue
            for oid in nowhere:
                failures[oid] = self._damaged_at.get(oid, Failure())
                del pending[oid]
            if adopt is not None:
                whole: dict[_Source, list[Item]] = {}
                for source in [*groups]:
                    members = [item for _, item in groups[source]]
                    if self._is_whole(source, members):
                        whole[source] = members
                        del groups[source]
                self._take_whole(whole, adopt, pending)
            self._take_ranges(groups, deliver, pending)
        return failures

    def _wholly_wanted(self, pending: dict[ObjectId, Item]) -> dict[_Source, list[Item]]:
        """Packs to take whole, found by their tables: five times as fast as looking every object up."""
        chosen: dict[_Source, list[Item]] = {}
        rest: AbstractSet[bytes] = pending.keys()
        for number, store in enumerate(self._stores):
            for pack, table in store.tables(_TABLES_PER_ITEM * len(pending)):
                common = digests_of(table) & rest
                source = _Source(number, pack)
                members = [pending[ObjectId(oid)] for oid in common]
                if members and members[0].pack_class == pack.pack_class and self._is_whole(source, members):
                    chosen[source] = members
                    rest = rest - common
        return chosen

    def _choose(self, item: Item) -> tuple[_Source, int, int] | None:
        for number, store in enumerate(self._stores):
            for pack, offset, size, kind in store.find(item.oid, item.pack_class):
                source = _Source(number, pack)
                if kind != item.kind or (item.size is not None and size != item.size):
                    continue
                if self._strikes and self._strikes.get((item.oid, source), 0) > 1:
                    continue
                return source, offset, size
        return None

    def _is_whole(self, source: _Source, members: list[Item]) -> bool:
        if source in self._only_ranges:
            return False
        if source.pack.pack_class == META and source.pack.size <= META_WHOLE:
            return True
        sizes = [item.size or 0 for item in members]
        return max(sizes) < LOOSE_FROM and 2 * sum(sizes) >= source.pack.size

    def _take_whole(
        self,
        groups: dict[_Source, list[Item]],
        adopt: Callable[[FinishedPack], None],
        pending: dict[ObjectId, Item],
    ) -> None:
        jobs = [WholeJob(self._stores[each.store].remote, each.pack, self._tmp, self._sync) for each in groups]
        results = self._workers.map(
            receive_whole, jobs, cost=lambda job: job.pack.size, budget=_WHOLE_AHEAD, drop=drop_whole
        )
        try:
            self._adopt(groups, zip(groups, results), adopt, pending)
        finally:
            results.close()

    def _adopt(
        self,
        groups: dict[_Source, list[Item]],
        results: Iterable[tuple[_Source, WholeResult]],
        adopt: Callable[[FinishedPack], None],
        pending: dict[ObjectId, Item],
    ) -> None:
        for source, result in results:
            self.bytes_received += result.received
            if result.pack is None:
                if result.gone:
                    self._gone(source)
                self._only_ranges.add(source)
                continue
            held = digests_of(result.pack.table)
            adopt(result.pack)
            self._only_ranges.add(source)
            for item in groups[source]:
                if item.oid in held:
                    pending.pop(item.oid, None)

    def _take_ranges(
        self,
        groups: dict[_Source, list[tuple[int, Item]]],
        deliver: Callable[[Item, bytes], None],
        pending: dict[ObjectId, Item],
    ) -> None:
        sources: list[_Source] = []
        jobs: list[RangeJob] = []
        for source, members in groups.items():
            wishes = [Wish(offset, item.oid, item.kind, item.size or 0) for offset, item in members]
            remote = self._stores[source.store].remote
            for job in cut_ranges(remote, source.pack, wishes):
                sources.append(source)
                jobs.append(job)
        results = self._workers.map(read_range, jobs, cost=lambda job: job.length, budget=MEMORY)
        for source, result in zip(sources, results):
            if result.gone:
                self._gone(source)
                continue
            self.bytes_received += result.job.length
            for wish in result.wrong:
                self._strikes[wish.oid, source] += 1
                self._damaged_at[wish.oid] = Failure(result.job.remote.name, key_of(source.pack))
            for wish, data in result.objects:
                item = pending.pop(wish.oid, None)
                if item is not None:
                    deliver(item, data)

    def _gone(self, source: _Source) -> None:
        """A pack that an index names is not there."""
        self._stores[source.store].presence.gone(source.pack)

    def _look_again(self) -> bool:
        """Once: read the indexes again, and the tables of packs that none covers. True when that was done now."""
        if self._looked_again:
            return False
        self._looked_again = True
        for store in self._stores:
            store.load_indexes()
            store.find_uncovered()
        return True

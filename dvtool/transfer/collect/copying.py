"""Single objects of a remote's packs, copied into new packs under keys that were never used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from dvtool.errors import StorageError
from dvtool.formats.index import IndexedPack
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import TREE
from dvtool.model.digest import ObjectId
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.transfer.journal import Journal
from dvtool.transfer.outgoing import Outgoing
from dvtool.transfer.presence import key_of
from dvtool.transfer.ranges import RangeJob
from dvtool.transfer.ranges import Wish
from dvtool.transfer.ranges import cut_ranges
from dvtool.transfer.ranges import is_there
from dvtool.transfer.ranges import read_range
from dvtool.transfer.receive import MEMORY
from dvtool.transfer.remotestore import RemoteStore


class Copied(NamedTuple):
    """``failed_keys``: packs with an object that could not be read anywhere; nothing else is left out."""

    objects: int
    bytes: int
    failed_keys: set[str]


_Object = tuple[ObjectId, int]


def _object(wish: Wish) -> _Object:
    return wish.oid, wish.kind


class Copier:
    """Copies within one remote, through this machine: every object is verified on its way."""

    def __init__(self, cache: Cache, store: RemoteStore, journal: Journal, reporter: Reporter) -> None:
        self._cache = cache
        self._store = store
        self._journal = journal
        self._reporter = reporter

    def copy(self, groups: Iterable[dict[IndexedPack, list[Wish]]]) -> Copied:
        """Copy each object of a group once, from whichever of the packs has it right. New packs are proved there and
        covered by an index when this returns. Raises `StorageError`."""
        objects = size = 0
        failed: set[str] = set()
        for wishes in groups:
            copied = self._copy_group(wishes)
            objects += copied.objects
            size += copied.bytes
            failed |= copied.failed_keys
        return Copied(objects, size, failed)

    def _copy_group(self, wishes: dict[IndexedPack, list[Wish]]) -> Copied:
        total = sum(wish.size for each in wishes.values() for wish in each)
        objects = 0
        unread: set[_Object] = set()
        self._reporter.begin("copying", total=total, unit="bytes")
        try:
            with Outgoing(self._store, self._journal, self._cache.tmp, self._reporter) as outgoing:
                # Bytes of files come first, as in a push: a tree is never there before what it names.
                for pack_class in (DATA, META):
                    own = {pack: each for pack, each in wishes.items() if pack.pack_class == pack_class}
                    count, rest = self._copy(outgoing, pack_class, own)
                    objects += count
                    unread |= rest
        finally:
            self._reporter.end()
        self._prove(outgoing.sent)
        self._store.write_index()
        self._journal.covered()
        failed = {
            key_of(pack) for pack, each in wishes.items() if any((wish.oid, wish.kind) in unread for wish in each)
        }
        return Copied(objects, outgoing.bytes_sent, failed)

    def _copy(
        self, outgoing: Outgoing, pack_class: int, wishes: dict[IndexedPack, list[Wish]]
    ) -> tuple[int, set[_Object]]:
        places: dict[_Object, list[tuple[IndexedPack, Wish]]] = defaultdict(list)
        for pack, each in wishes.items():
            for wish in each:
                places[_object(wish)].append((pack, wish))
        writer = outgoing.writer(pack_class)
        done: set[_Object] = set()
        attempt = 0
        while attempt < 1 + max(map(len, places.values()), default=0):
            # Every copy in turn, and then the first once more.
            jobs = self._jobs(places, done, attempt)
            for result in self._store.workers.map(read_range, jobs, cost=lambda job: job.length, budget=MEMORY):
                for wish, data in result.objects:
                    if _object(wish) not in done:
                        done.add(_object(wish))
                        (writer.add if wish.kind in (BYTES, TREE) else writer.add_alone)(wish.oid, wish.kind, data)
                        outgoing.start_made()
            if len(done) == len(places):
                break
            attempt += 1
        outgoing.finish_writer(writer)
        outgoing.flush()
        return len(done), places.keys() - done

    def _jobs(
        self, places: dict[_Object, list[tuple[IndexedPack, Wish]]], done: set[_Object], attempt: int
    ) -> list[RangeJob]:
        chosen: dict[IndexedPack, list[Wish]] = defaultdict(list)
        for each, copies in places.items():
            if each not in done:
                pack, wish = copies[attempt % len(copies)]
                chosen[pack].append(wish)
        return [job for pack, each in sorted(chosen.items()) for job in cut_ranges(self._store.remote, pack, each)]

    def _prove(self, packs: list[IndexedPack]) -> None:
        for pack, (found, _) in zip(
            packs, self._store.workers.map(self._store.read_table, [(key_of(each), each.size) for each in packs])
        ):
            if found != pack or not is_there(self._store.remote, pack):
                raise StorageError(
                    f"remote {self._store.remote.name}: {key_of(pack)} is not there as it was written",
                    hint="nothing was deleted; run the same command again",
                )

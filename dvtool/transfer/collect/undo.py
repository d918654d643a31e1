"""Taking back what a collection on a remote has doomed, as long as it is there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from dataclasses import replace

from dvtool.disk.durable import discard
from dvtool.disk.durable import make_dirs
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.formats.index import IndexedPack
from dvtool.formats.records import DeadList
from dvtool.formats.records import RootRecord
from dvtool.formats.records import decode_dead_list
from dvtool.formats.records import decode_root_record
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.store.names import parse_pack_name
from dvtool.store.packwriter import FinishedPack
from dvtool.transfer.collect.types import CollectContext
from dvtool.transfer.journal import Journal
from dvtool.transfer.outgoing import Outgoing
from dvtool.transfer.parallel import Workers
from dvtool.transfer.parallel import threads_for
from dvtool.transfer.presence import key_of
from dvtool.transfer.remotestore import RemoteStore
from dvtool.transfer.rootrecords import is_proved
from dvtool.transfer.rootrecords import write_record
from dvtool.transfer.whole import WholeJob
from dvtool.transfer.whole import receive_whole

_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class CollectionUndone:
    """``packs`` were brought back, under new keys, and so many ``records``. ``lost``: keys that are gone already."""

    packs: int
    bytes: int
    records: int
    lost: tuple[str, ...]


def undo_collection(
    cache: Cache, remote: Remote, dead_key: str, context: CollectContext, reporter: Reporter = SILENT
) -> CollectionUndone:
    """Copy everything that the dead list *dead_key* names to new keys, and write its records anew.

    The old keys stay doomed: a key that has once counted as absent never counts as present again.
    Raises `MissingData` when the list is gone, so that collection is finished; `StorageError`.
    """
    with Workers(threads_for([remote], context.jobs)) as workers:
        store = RemoteStore(remote, cache.root, workers)
        dead = _read_list(remote, dead_key)
        if not store.open():
            raise MissingData(f"remote {remote.name}: nothing is there")
        store.load_indexes()
        records = _read_records(remote, dead)
        with cache.lock.acquire(shared=True, on_wait=reporter.note):
            return _Undo(cache, store, context, reporter).run(dead, records)


def _read_list(remote: Remote, key: str) -> DeadList:
    try:
        return decode_dead_list(remote.get(key), f"remote {remote.name}: {key}")
    except MissingData:
        raise MissingData(
            f"remote {remote.name}: {key} is gone: that collection is finished, and what it deleted is not there",
            path=key,
            hint="`dvtool push` from a clone that has the data brings it back",
        ) from None


def _read_records(remote: Remote, dead: DeadList) -> dict[str, RootRecord | None]:
    found: dict[str, RootRecord | None] = {}
    for key in dead.records:
        try:
            found[key] = decode_root_record(remote.get(key), f"remote {remote.name}: {key}")
        except MissingData:
            found[key] = None
    return found


class _Undo:
    def __init__(self, cache: Cache, store: RemoteStore, context: CollectContext, reporter: Reporter) -> None:
        self._cache = cache
        self._store = store
        self._context = context
        self._reporter = reporter
        self._copies: dict[str, IndexedPack] = {}
        self._lost: set[str] = set()
        self._bytes = 0

    def run(self, dead: DeadList, records: dict[str, RootRecord | None]) -> CollectionUndone:
        wanted = list(dead.packs)
        remote = self._store.remote
        for _ in range(_ROUNDS):
            self._copy(wanted)
            packs = sorted(self._copies.values())
            written = [write_record(remote, self._renamed(record)) for record in records.values() if record is not None]
            if is_proved(self._store, written, packs):
                lost = (*sorted(self._lost), *(key for key, record in records.items() if record is None))
                return CollectionUndone(len(self._copies), self._bytes, len(written), lost)
            # Another collection has doomed what was just brought back.
            wanted = [key for key, pack in self._copies.items() if self._store.presence.is_absent(pack)]
        raise StorageError(
            f"remote {remote.name}: packs that were brought back keep vanishing", hint="run `dvtool undo` again later"
        )

    def _renamed(self, record: RootRecord) -> RootRecord:
        return replace(
            record, packs=tuple(key_of(self._copies[key]) if key in self._copies else key for key in record.packs)
        )

    def _copy(self, keys: list[str]) -> None:
        tmp = self._cache.tmp
        try:
            make_dirs(tmp)
        except OSError as error:
            raise storage_error(error, "keep packs for a while in", tmp) from error
        self._reporter.begin("copying", total=len(keys), unit="objects")
        try:
            with (
                Journal(self._context.journal_dir, self._store.id, os.urandom(8).hex()) as journal,
                Outgoing(self._store, journal, tmp, self._reporter) as outgoing,
            ):
                # Bytes of files first, as in a push.
                for key in sorted(keys):
                    self._copy_one(key, outgoing)
                self._store.write_index()
                journal.covered()
        finally:
            self._reporter.end()

    def _copy_one(self, key: str, outgoing: Outgoing) -> None:
        pack = self._there(key)
        if pack is None:
            self._lost.add(key)
            return
        result = receive_whole(WholeJob(self._store.remote, pack, self._cache.tmp, sync=False))
        if result.pack is None:
            if not result.gone:
                raise IntegrityError(
                    f"remote {self._store.remote.name}: {key} is damaged",
                    path=key,
                    hint=f"`dvtool fsck --remote {self._store.remote.name} --deep` says what can be saved",
                )
            self._lost.add(key)
            return
        self._send(key, result.pack, outgoing)

    def _send(self, key: str, made: FinishedPack, outgoing: Outgoing) -> None:
        try:
            outgoing.send_local(made.path, made.pack_class, made.id, made.size, made.table)
            outgoing.flush()
        finally:
            discard(None, made.path)
        self._copies[key] = outgoing.sent[-1]
        self._bytes += made.size

    def _there(self, key: str) -> IndexedPack | None:
        parsed = parse_pack_name(key)
        item = self._store.remote.stat(key)
        if parsed is None or item is None:
            return None
        return IndexedPack(parsed[1], parsed[2], parsed[0], item.size)

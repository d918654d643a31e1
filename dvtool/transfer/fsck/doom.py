"""Healing a remote. No data on it is deleted: what is damaged is named in a dead list, what is lost is sent again.

The order, so that a kill anywhere leaves no second fault: what is still right in a damaged pack goes
up in a new one, an index and a root record name that, and only then the damaged one is doomed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass

from dvtool.disk.durable import discard
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.index import IndexedPack
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import TREE
from dvtool.formats.records import DeadList
from dvtool.formats.records import StoreFile
from dvtool.formats.records import encode_dead_list
from dvtool.formats.records import encode_store_file
from dvtool.model.digest import ObjectId
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.store.fsck.values import Finding
from dvtool.store.fsck.values import Kind
from dvtool.store.localpacks import PackKey
from dvtool.store.names import DEAD
from dvtool.store.names import INDEX
from dvtool.store.names import STORE_FILE
from dvtool.store.names import parse_pack_name
from dvtool.store.packcheck import check_whole
from dvtool.store.packfile import Table
from dvtool.store.packrescue import good_objects
from dvtool.store.packrescue import table_of
from dvtool.transfer.catalog import renew_catalog
from dvtool.transfer.fsck.whole import take_whole
from dvtool.transfer.fsck.whole import temporaries
from dvtool.transfer.journal import Journal
from dvtool.transfer.journal import KnownRemotes
from dvtool.transfer.outgoing import Outgoing
from dvtool.transfer.parallel import Workers
from dvtool.transfer.parallel import threads_for
from dvtool.transfer.presence import key_of
from dvtool.transfer.remotestore import RemoteStore
from dvtool.transfer.rootrecords import write_records
from dvtool.transfer.types import PushContext

_WRONG = (FormatError, IntegrityError)


@dataclass(frozen=True, slots=True)
class RemoteRepair:
    """What to do on a remote, in this order. ``packs`` are damaged, ``records`` are root records that were replaced.

    ``indexes``: index files to make again; ``stale``: some name packs that are gone. ``send``: something is lacking.
    ``runs``: damaged files of the run cache, which are deleted.
    """

    store_file: bool
    packs: tuple[str, ...]
    records: tuple[str, ...]
    indexes: tuple[str, ...]
    stale: bool
    send: bool
    runs: tuple[str, ...] = ()

    @property
    def is_nothing(self) -> bool:
        asked = (self.store_file, self.packs, self.records, self.indexes, self.stale, self.send, self.runs)
        return not any(asked)


def plan_remote_repair(findings: Iterable[Finding]) -> RemoteRepair:
    """What *findings* on a remote ask for. A damaged dead list is in no plan: nobody knows what it doomed."""
    places: dict[Kind, list[str]] = {}
    affected = 0
    for finding in findings:
        places.setdefault(finding.kind, []).append(finding.place.decode("ascii", "replace"))
        affected += finding.affected
    lost = [key for key in places.get(Kind.MISSING, ()) if parse_pack_name(key) is not None]
    return RemoteRepair(
        store_file=Kind.STORE_FILE in places,
        packs=tuple(places.get(Kind.PACK, ())),
        records=tuple(places.get(Kind.ROOTS, ())),
        indexes=tuple(places.get(Kind.INDEX, ())),
        stale=bool(lost) or Kind.LOST_PACK in places,
        runs=tuple(places.get(Kind.RUNS, ())),
        send=bool({Kind.MISSING, Kind.PACK, Kind.UNKEPT} & places.keys()),
    )


def renew_store_file(remote: Remote, context: PushContext) -> None:
    """Write the store file again if it cannot be read; with its old id where this clone remembers that."""
    store = RemoteStore(remote, b"", Workers(1))
    try:
        if store.open():
            return
    except _WRONG:
        pass
    known = KnownRemotes(context.journal_dir).store_id(remote.url)
    remote.put(STORE_FILE, encode_store_file(StoreFile(known or os.urandom(16).hex())))


def doom(
    cache: Cache,
    remote: Remote,
    keys: Sequence[str],
    context: PushContext,
    reporter: Reporter = SILENT,
) -> list[str]:
    """Prove each pack wrong once more, send what is still right in it under a new key, then doom it.

    Returns the keys that were doomed; one that is right or gone now is not. Raises `StorageError`.
    """
    if not keys:
        return []
    with temporaries(cache, reporter), Workers(threads_for([remote], context.jobs)) as workers:
        store = RemoteStore(remote, cache.root, workers)
        if not store.open():
            return []
        store.presence.read_dead()
        store.load_indexes()
        store.find_uncovered()
        named = [pack for reader in store.indexes().values() for pack in reader.packs]
        for pack in (*named, *store.uncovered()):
            if key_of(pack) in keys:
                store.presence.gone(pack)  # else what it holds would count as being elsewhere
        packs = [pack for pack in map(_as_pack, keys) if pack is not None]
        return _Doom(cache, store, context, reporter).run(packs)


def _as_pack(key: str) -> IndexedPack | None:
    parsed = parse_pack_name(key)
    return None if parsed is None or not parsed[2] else IndexedPack(parsed[1], parsed[2], parsed[0], 0)


class _Doom:
    def __init__(self, cache: Cache, store: RemoteStore, context: PushContext, reporter: Reporter) -> None:
        self._cache = cache
        self._store = store
        self._context = context
        self._reporter = reporter
        self._saved: set[bytes] = set()

    def run(self, packs: Sequence[IndexedPack]) -> list[str]:
        store, remote = self._store, self._store.remote
        token = os.urandom(8).hex()
        doomed: list[str] = []
        self._reporter.begin("saving what is right", total=len(packs), unit="packs")
        with (
            Journal(self._context.journal_dir, store.id, token) as journal,
            Outgoing(store, journal, self._cache.tmp, self._reporter) as outgoing,
        ):
            for pack in packs:
                if self._save(pack, outgoing):
                    doomed.append(key_of(pack))
                self._reporter.advance(1)
            outgoing.flush()
            if store.uncovered():
                store.write_index()
            journal.covered()
            if outgoing.sent:
                write_records(remote, self._context, [], outgoing.sent)
        self._reporter.end()
        if doomed:
            doom_keys(remote, doomed)
        return doomed

    def _save(self, pack: IndexedPack, outgoing: Outgoing) -> bool:
        """Send what is right in a damaged pack; False where the pack is right, or gone."""
        remote = self._store.remote
        item = remote.stat(key_of(pack))
        if item is None:
            return False
        pack = pack._replace(size=item.size)
        try:
            path = take_whole(remote, pack, self._cache.tmp)
        except MissingData:
            return False
        try:
            check_whole(path, pack.pack_class, pack.id, pack.size)
        except _WRONG:
            self._send_good(path, pack, outgoing)
        else:
            return False
        finally:
            discard(None, path)
        return True

    def _send_good(self, path: bytes, pack: IndexedPack, outgoing: Outgoing) -> None:
        key = PackKey(pack.pack_class, pack.id)
        table = table_of(path, key) or self._indexed_table(pack)
        writer = outgoing.writer(pack.pack_class)
        for oid, kind, data in good_objects(path, key, table):
            if oid in self._saved or self._is_elsewhere(oid, pack.pack_class):
                continue
            self._saved.add(oid)
            (writer.add if kind in (BYTES, TREE) else writer.add_alone)(oid, kind, data)
            outgoing.start_made()
        outgoing.finish_writer(writer)

    def _indexed_table(self, pack: IndexedPack) -> Table | None:
        for reader in self._store.indexes().values():
            for each, table in zip(reader.packs, reader.tables() if _names(reader.packs, pack) else ()):
                if (each.id, each.pack_class) == (pack.id, pack.pack_class):
                    return Table(table)
        return None

    def _is_elsewhere(self, oid: ObjectId, pack_class: int) -> bool:
        return any(True for _ in self._store.find(oid, pack_class))


def _names(packs: Iterable[IndexedPack], pack: IndexedPack) -> bool:
    return any((each.id, each.pack_class) == (pack.id, pack.pack_class) for each in packs)


def doom_keys(remote: Remote, packs: Sequence[str] = (), records: Sequence[str] = ()) -> None:
    """Name packs and root records in a new dead list: from now on they count as absent. Raises `StorageError`."""
    data = encode_dead_list(DeadList(tuple(packs), tuple(records)))
    if not remote.put(f"{DEAD}{os.urandom(8).hex()}", data, create_only=remote.capabilities.create_only):
        raise StorageError(f"remote {remote.name}: a new dead list has the name of an old one")
    renew_catalog(remote)


def renew_indexes(cache: Cache, remote: Remote, damaged: Sequence[str], context: PushContext) -> None:
    """Make damaged index files again from the packs' own tables, and drop what they say of packs that are gone.

    An index decides nothing: whoever reads it meanwhile falls back on the packs. Raises `StorageError`.
    """
    with Workers(threads_for([remote], context.jobs)) as workers:
        store = RemoteStore(remote, cache.root, workers)
        if not store.open():
            return
        store.presence.read_dead()
        store.load_indexes()
        here = {item.key for item in store.presence.list_packs((DATA, META))}
        gone = {key_of(pack) for reader in store.indexes().values() for pack in reader.packs} - here
        if damaged:
            store.renew_indexes([key.removeprefix(INDEX) for key in damaged])
        if gone:
            store.drop_from_index(gone)

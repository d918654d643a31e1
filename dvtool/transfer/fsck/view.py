"""What lies on a remote, read without stopping at the first damaged document."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import TypeVar

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.formats.index import IndexedPack
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.records import Root
from dvtool.formats.records import decode_dead_list
from dvtool.formats.records import decode_root_record
from dvtool.hashing.digests import object_id
from dvtool.store.fsck.values import Finding
from dvtool.store.fsck.values import Kind
from dvtool.store.names import CATALOG
from dvtool.store.names import DEAD
from dvtool.store.names import INDEX
from dvtool.store.names import ROOTS
from dvtool.store.names import RUNS
from dvtool.store.names import parse_pack_name
from dvtool.transfer.catalog import read_catalog
from dvtool.transfer.presence import key_of
from dvtool.transfer.remotestore import RemoteStore
from dvtool.transfer.runsync import is_right_bundle

_WRONG = (FormatError, IntegrityError)
_NOBODY_KNOWS = "bring that key back from a backup or an older version of the bucket; until then nothing is collected"
T = TypeVar("T")


@dataclass(slots=True)
class RemoteView:
    """``packs``: those that are there and not doomed. ``kept``: roots asked for that readable records name."""

    packs: list[IndexedPack] = field(default_factory=list)
    doomed: set[str] = field(default_factory=set)
    kept: set[Root] = field(default_factory=set)
    records: int = 0
    indexes: dict[str, int] = field(default_factory=dict)
    damaged_lists: bool = False
    findings: list[Finding] = field(default_factory=list)


def view_remote(store: RemoteStore, roots: set[Root]) -> RemoteView:
    """List and read what is small: dead lists, then root records, then the names of packs and index files.

    Raises `StorageError` when a listing fails; a damaged document is a finding.
    """
    if not store.remote.capabilities.listing:
        return _view_through_indexes(store, roots)
    view = RemoteView()
    released: set[str] = set()
    for dead in _documents(store, _keys(store, DEAD), Kind.DEAD, decode_dead_list, view):
        view.doomed.update(dead.packs)
        released.update(dead.records)
    view.damaged_lists = any(finding.kind is Kind.DEAD for finding in view.findings)
    records = [key for key in _keys(store, ROOTS) if key not in released]
    for record in _documents(store, records, Kind.ROOTS, decode_root_record, view):
        view.records += 1
        view.kept.update(roots.intersection(record.roots))
    for item in store.presence.list_packs((DATA, META)):
        parsed = parse_pack_name(item.key)
        if parsed is not None and parsed[2] and item.key not in view.doomed:
            view.packs.append(IndexedPack(parsed[1], parsed[2], parsed[0], item.size))
    view.indexes = {item.key: item.size for item in store.remote.list(INDEX) if item.key != CATALOG}
    return view


def _view_through_indexes(store: RemoteStore, roots: set[Root]) -> RemoteView:
    """What can be known without a listing: packs that an index names, each asked for. Nothing is said of records."""
    view = RemoteView(kept=roots)
    keys = [DEAD + name for name in read_catalog(store.remote).dead]
    for dead in _documents(store, keys, Kind.DEAD, decode_dead_list, view):
        view.doomed.update(dead.packs)
    view.damaged_lists = bool(view.findings)
    store.load_indexes()
    view.indexes = {INDEX + name: reader.size for name, reader in store.indexes().items()}
    named = sorted({pack for reader in store.index_readers for pack in reader.packs})
    alive = [pack for pack in named if key_of(pack) not in view.doomed]
    for pack, item in zip(alive, store.workers.map(store.remote.stat, map(key_of, alive))):
        if item is not None and item.size == pack.size:
            view.packs.append(pack)
    return view


def _keys(store: RemoteStore, prefix: str) -> list[str]:
    return [item.key for item in store.remote.list(prefix)]


def _documents(
    store: RemoteStore, keys: Sequence[str], kind: Kind, decode: Callable[[bytes, str], T], view: RemoteView
) -> Iterator[T]:
    remote = store.remote

    def read(key: str) -> tuple[T | None, str]:
        try:
            return decode(remote.get(key), f"remote {remote.name}: {key}"), ""
        except MissingData:
            return None, ""
        except _WRONG as error:
            if error.hint == "upgrade dvtool":
                raise
            return None, error.message

    for key, (found, why) in zip(keys, store.workers.map(read, keys)):
        if found is not None:
            yield found
        elif why:
            fix = _NOBODY_KNOWS
            if kind is Kind.ROOTS:
                repository = key.removeprefix(ROOTS).partition("/")[0]
                fix = f"dvtool fsck --remote {remote.name} --repair, in a clone of the repository {repository}"
            view.findings.append(Finding(kind, remote.name, key.encode("ascii"), why, fix=fix))


def damaged_runs(store: RemoteStore) -> Iterator[Finding]:
    """Files of the run cache that are not what their name says. Reads all of them."""
    remote = store.remote
    keys = _keys(store, RUNS) if remote.capabilities.listing else []
    for key, right in zip(keys, store.workers.map(lambda key: is_right_bundle(remote, key), keys)):
        if not right:
            why = f"remote {remote.name}: {key}: no file of the run cache, or a damaged one"
            yield Finding(Kind.RUNS, remote.name, key.encode("utf-8", "replace"), why)


def damaged_indexes(store: RemoteStore, view: RemoteView, *, deep: bool) -> Iterator[Finding]:
    """Index files that are not what their name says. One with a proved copy here is read again only for *deep*."""
    remote = store.remote
    for key in sorted(store.damaged_indexes()):
        yield Finding(Kind.INDEX, remote.name, key.encode("ascii"), f"remote {remote.name}: {key} is damaged")
    proved = {INDEX + name: reader.size for name, reader in store.indexes().items()}
    suspects = [key for key, size in view.indexes.items() if key in proved and (deep or proved[key] != size)]

    def is_right(key: str) -> bool:
        try:
            return object_id(remote.get(key)).hex() == key.removeprefix(INDEX)
        except MissingData:
            return True

    for key, right in zip(suspects, store.workers.map(is_right, suspects)):
        if not right:
            why = f"remote {remote.name}: {key}: the bytes are not what its name says"
            yield Finding(Kind.INDEX, remote.name, key.encode("ascii"), why)

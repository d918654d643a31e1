"""What is on a remote, read in the order on which deleting depends: lists, records, lists, packs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.records import DeadList
from dvtool.formats.records import decode_dead_list
from dvtool.formats.records import decode_root_record
from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem
from dvtool.store.names import CLOCK
from dvtool.store.names import DEAD
from dvtool.store.names import ROOTS
from dvtool.transfer.collect.types import ListedRecord
from dvtool.transfer.parallel import Workers
from dvtool.transfer.presence import Presence


@dataclass(frozen=True, slots=True)
class View:
    """``early``: dead lists that were there before the records were read: these alone may be finished.

    ``records`` are all, the released ones too. ``dead``: every list, with its time. ``packs``: every
    pack that is listed, doomed or not, with its item. ``now``: by the server's clock.
    """

    early: frozenset[str]
    records: tuple[ListedRecord, ...]
    dead: dict[str, tuple[DeadList, float]]
    packs: dict[str, RemoteItem]
    now: float

    @property
    def doomed(self) -> set[str]:
        """Keys of packs that count as absent."""
        return {key for dead, _ in self.dead.values() for key in dead.packs}

    @property
    def released(self) -> set[str]:
        """Keys of records that count as absent."""
        return {key for dead, _ in self.dead.values() for key in dead.records}

    def ripe(self, grace: float) -> list[str]:
        """Lists that may be finished now."""
        return sorted(key for key in self.early & self.dead.keys() if self.now - self.dead[key][1] >= grace)


def read_view(remote: Remote, workers: Workers, now: float) -> View:
    """Read everything anew. Raises `StorageError` when a listing fails or contradicts itself, `FormatError`,
    `IntegrityError` for a record or list that cannot be read: what it keeps is not known. A damaged record that
    is released keeps nothing: `fsck` has written another one in its place."""
    early = frozenset(item.key for item in remote.list(DEAD))
    damaged: dict[str, DvtoolError] = {}
    records = _read_records(remote, workers, damaged)
    dead = {item.key: (found, _time(remote, item)) for item, found in _read_lists(remote, workers)}
    released = {key for found, _ in dead.values() for key in found.records}
    for key in sorted(damaged.keys() - released):
        raise damaged[key]
    presence = Presence(remote, workers)
    packs = {item.key: item for item in presence.list_packs((DATA, META))}
    return View(early, records, dead, packs, now)


def _read_records(remote: Remote, workers: Workers, damaged: dict[str, DvtoolError]) -> tuple[ListedRecord, ...]:
    """Listed twice: a server that leaves some out would have them deleted. *damaged* gets what cannot be read."""
    first = {item.key: item for item in remote.list(ROOTS)}
    read = workers.map(lambda item: _record(remote, item, damaged), first.values())
    found = {key: record for key, record in read if record}
    second = {item.key: item for item in remote.list(ROOTS)}
    newest = max((_time(remote, item) for item in first.values()), default=0.0)
    for key in second.keys() - first.keys():
        if _time(remote, second[key]) < newest:
            raise _contradiction(remote, key)
        _, record = _record(remote, second[key], damaged)
        if record is not None:
            found[key] = record
    for key in found.keys() - second.keys():
        if remote.stat(key) is not None:
            raise _contradiction(remote, key)
    return tuple(record for _, record in sorted(found.items()))


def _record(remote: Remote, item: RemoteItem, damaged: dict[str, DvtoolError]) -> tuple[str, ListedRecord | None]:
    try:
        data = remote.get(item.key)
    except MissingData:
        return item.key, None  # another collection has finished releasing it
    try:
        record = decode_root_record(data, f"remote {remote.name}: {item.key}")
    except (FormatError, IntegrityError) as error:
        damaged[item.key] = error
        return item.key, None
    return item.key, ListedRecord(item.key, record, _time(remote, item))


def _read_lists(remote: Remote, workers: Workers) -> Iterator[tuple[RemoteItem, DeadList]]:
    def read(item: RemoteItem) -> tuple[RemoteItem, DeadList | None]:
        try:
            return item, decode_dead_list(remote.get(item.key), f"remote {remote.name}: {item.key}")
        except MissingData:
            return item, None

    for item, found in workers.map(read, remote.list(DEAD)):
        if found is not None:
            yield item, found


def _time(remote: Remote, item: RemoteItem) -> float:
    if item.modified is None:
        raise StorageError(f"remote {remote.name}: {item.key} is listed without a time")
    return item.modified


def _contradiction(remote: Remote, key: str) -> StorageError:
    return StorageError(
        f"remote {remote.name}: two listings disagree about {key}", hint="nothing was deleted; run it again later"
    )


def server_time(remote: Remote, fallback: float | None) -> float:
    """Now by the server's clock: a key is written, looked at and removed.

    *fallback* is the answer where nothing may be written; with None the error is raised.
    """
    key = CLOCK + os.urandom(8).hex()
    try:
        remote.put(key, b"dvtool\n")
        try:
            item = remote.stat(key)
        finally:
            remote.delete(key)
    except StorageError:
        if fallback is None:
            raise
        return fallback
    if item is None:
        raise StorageError(f"remote {remote.name}: {key} is not there after it was written")
    return _time(remote, item)

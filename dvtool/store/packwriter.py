"""Writes packs: objects are grouped into records in the order they come, in a worker thread."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from dvtool.disk.durable import discard
from dvtool.disk.durable import fsync_file
from dvtool.disk.durable import open_temporary
from dvtool.disk.durable import write_all
from dvtool.errors import storage_error
from dvtool.formats.pack import HEADER_BYTES
from dvtool.formats.pack import PACK_OBJECTS_LIMIT
from dvtool.formats.pack import RECORD_OBJECTS_LIMIT
from dvtool.formats.pack import RecordEncoder
from dvtool.formats.pack import footer
from dvtool.formats.pack import header
from dvtool.formats.pack import pack_table_entry
from dvtool.hashing.digests import pack_id
from dvtool.model.digest import ObjectId

RECORD_WANTED = 64 << 10
"""Small objects share a record until it holds so many bytes: one zstd frame per file cost 14 us a file more."""
PACK_WANTED = 64 << 20
_RECORDS_AHEAD = 64
_BYTES_AHEAD = 16 << 20


class FinishedPack(NamedTuple):
    """A complete, synced pack under a temporary name. The caller publishes or discards it."""

    path: bytes
    pack_class: int
    id: bytes
    size: int
    table: bytes


class PackWriter:
    """Takes objects of one class, makes packs of about `PACK_WANTED` bytes.

    What is added twice stands in a pack once. ``finished`` is called in the worker thread with
    each pack. The object bytes are compressed and written behind the caller's back; an error
    there (`StorageError`) is raised by a later call. One thread may use a writer.
    """

    def __init__(
        self,
        pack_class: int,
        directory: bytes,
        finished: Callable[[FinishedPack], None],
        *,
        sync: bool = True,
        executor: ThreadPoolExecutor | None = None,
    ) -> None:
        self._worker = _PackFile(pack_class, directory, finished, sync=sync)
        self._own_executor = executor is None
        self._executor = executor or ThreadPoolExecutor(1, thread_name_prefix="pack")
        self._pending: deque[tuple[Future[None], int]] = deque()
        self._pending_bytes = 0
        self._batch: list[tuple[bytes, int, bytes]] = []
        self._batch_bytes = 0

    def add(self, oid: ObjectId, kind: int, data: bytes) -> None:
        """Append one object of at most `RECORD_PLAIN_LIMIT` bytes."""
        size = len(data)
        if self._batch and (self._batch_bytes + size > RECORD_WANTED or len(self._batch) == RECORD_OBJECTS_LIMIT):
            self._flush()
        self._batch.append((oid, kind, data))
        self._batch_bytes += size

    def add_alone(self, oid: ObjectId, kind: int, data: bytes) -> None:
        """Append one object in a record of its own: recipes and aliases, which no digest of theirs can pick out."""
        self._flush()
        self.add(oid, kind, data)
        self._flush()

    def add_record(self, record: bytes, members: Sequence[tuple[bytes, int, int]]) -> None:
        """Append a record of another pack as it is. *members*: address, kind and size of every object in it."""
        self._flush()
        self._make_room()
        self._pending.append((self._executor.submit(self._worker.append, record, members), len(record)))
        self._pending_bytes += len(record)

    def _flush(self) -> None:
        if self._batch:
            self._make_room()
            future = self._executor.submit(self._worker.write_record, self._batch)
            self._pending.append((future, self._batch_bytes))
            self._pending_bytes += self._batch_bytes
            self._batch = []
            self._batch_bytes = 0

    def _make_room(self) -> None:
        while len(self._pending) >= _RECORDS_AHEAD or self._pending_bytes > _BYTES_AHEAD:
            future, size = self._pending.popleft()
            self._pending_bytes -= size
            future.result()

    def finish(self) -> None:
        """Complete the last pack; every pack has been handed over when this returns."""
        self._flush()
        while self._pending:
            self._pending.popleft()[0].result()
        self._pending_bytes = 0
        self._executor.submit(self._worker.close).result()
        if self._own_executor:
            self._executor.shutdown()

    def abort(self) -> None:
        """Drop what is not yet handed over. Never raises; waits for the record that is being written, and no other."""
        for future, _ in self._pending:
            future.cancel()
        try:
            self._executor.submit(self._worker.discard).exception()
        except RuntimeError:
            # The executor has been shut down, or no thread could be started: nobody writes any more.
            self._worker.discard()
        if self._own_executor:
            self._executor.shutdown()


class _PackFile:
    """The pack being written. Lives in the worker thread."""

    def __init__(
        self, pack_class: int, directory: bytes, finished: Callable[[FinishedPack], None], *, sync: bool
    ) -> None:
        self._class = pack_class
        self._directory = directory
        self._finished = finished
        self._sync = sync
        self._encoder = RecordEncoder()
        self._fd = -1
        self._path = b""
        self._offset = 0
        self._entries: list[bytes] = []
        self._digests: set[bytes] = set()

    def write_record(self, batch: Sequence[tuple[bytes, int, bytes]]) -> None:
        """A file may be what a piece of another is, and comes by another way: no reader takes a digest twice."""
        digests = {oid for oid, _, _ in batch}
        if len(digests) < len(batch) or not self._digests.isdisjoint(digests):
            batch = [*{each[0]: each for each in batch if each[0] not in self._digests}.values()]
        if batch:
            record = self._encoder.encode([data for _, _, data in batch])
            self._append(record, [(oid, kind, len(data)) for oid, kind, data in batch], digests)

    def append(self, record: bytes, members: Sequence[tuple[bytes, int, int]]) -> None:
        """A record as it is; where it holds what the pack has already, it goes into the next."""
        digests = {oid for oid, _, _ in members}
        if not self._digests.isdisjoint(digests):
            self.close()
        self._append(record, members, digests)

    def _append(self, record: bytes, members: Sequence[tuple[bytes, int, int]], digests: set[bytes]) -> None:
        try:
            if self._fd < 0:
                self._fd, self._path = open_temporary(self._directory)
                write_all(self._fd, header(self._class))
                self._offset = HEADER_BYTES
            write_all(self._fd, record)
        except BaseException as error:
            # Half a record may be in the file, and further records are queued: they must not follow it.
            self.discard()
            if isinstance(error, OSError):
                raise storage_error(error, "write to", self._directory) from error
            raise
        offset = self._offset
        self._entries += [pack_table_entry(oid, offset, size, kind) for oid, kind, size in members]
        self._digests |= digests
        self._offset += len(record)
        if self._offset >= PACK_WANTED or len(self._entries) > PACK_OBJECTS_LIMIT - RECORD_OBJECTS_LIMIT:
            self.close()

    def close(self) -> None:
        if self._fd < 0:
            return
        try:
            self._entries.sort()
            table = b"".join(self._entries)
            write_all(self._fd, table + footer(self._offset, table))
            os.fchmod(self._fd, 0o444)
            if self._sync:
                fsync_file(self._fd)
            size = os.fstat(self._fd).st_size
            pack = FinishedPack(self._path, self._class, pack_id(self._class, table), size, table)
        except BaseException as error:
            self.discard()
            if isinstance(error, OSError):
                raise storage_error(error, "write to", self._directory) from error
            raise
        os.close(self._fd)
        self._fd = -1
        self._begin()
        self._finished(pack)

    def discard(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._begin()
            discard(None, self._path)

    def _begin(self) -> None:
        self._entries = []
        self._digests = set()

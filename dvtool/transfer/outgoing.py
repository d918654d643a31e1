"""Packs on their way to a remote: local ones as they are, and new ones made of single objects."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import wait
from functools import partial
from typing import NamedTuple

from dvtool.disk.durable import discard
from dvtool.disk.durable import make_dirs
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import storage_error
from dvtool.formats.index import IndexedPack
from dvtool.formats.pack import TABLE_ENTRY_BYTES
from dvtool.model.ports import Reporter
from dvtool.remote.failures import TransientError
from dvtool.remote.retry import TRIES
from dvtool.remote.retry import backoff
from dvtool.store.localpacks import PackKey
from dvtool.store.packcheck import check_leaving
from dvtool.store.packwriter import FinishedPack
from dvtool.store.packwriter import PackWriter
from dvtool.transfer.journal import Journal
from dvtool.transfer.presence import key_of
from dvtool.transfer.remotestore import RemoteStore

_SUFFIX_BYTES = 4
_AHEAD = 512 << 20
"""So many bytes of packs are under way at once: they lie in the temporary folder, and a kill loses them."""
INDEX_EVERY = 4 << 30
"""After so many bytes an index is written, so that others, and the next try, find what is there."""


class Sent(NamedTuple):
    """A pack that was uploaded, or (``pack`` None) one of the cache that is damaged and was not."""

    pack: IndexedPack | None
    made: FinishedPack


class Outgoing:
    """Uploads packs in threads; every attempt gets a key that was never used before.

    A context manager. `flush` waits until everything that was handed in is on the remote. *on_index*
    hears of all packs sent so far each time an index was written.
    """

    def __init__(
        self,
        store: RemoteStore,
        journal: Journal,
        tmp: bytes,
        reporter: Reporter,
        on_index: Callable[[Sequence[IndexedPack]], None] = lambda _: None,
    ) -> None:
        self._on_index = on_index
        self._store = store
        self._journal = journal
        self._tmp = tmp
        self._reporter = reporter
        self._pending: dict[Future[Sent], int] = {}
        self._temporary: dict[Future[Sent], bytes] = {}
        self._made: list[FinishedPack] = []
        self._writers: list[PackWriter] = []
        self._since_index = 0
        self._stopping = threading.Event()
        self.sent: list[IndexedPack] = []
        self.bytes_sent = 0
        self.objects = 0
        self.damaged: list[PackKey] = []
        """Packs of the cache that are not what their name says."""

    def __enter__(self) -> Outgoing:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for writer in self._writers:
            writer.abort()
        for future, path in self._temporary.items():
            if future.cancel():
                discard(None, path)
        for made in self._made:
            discard(None, made.path)

    def send_local(self, path: bytes, pack_class: int, pack_id: bytes, size: int, table: bytes) -> None:
        """Upload a pack of the cache as it is; its record checksums are verified on the way out."""
        pack = FinishedPack(path, pack_class, pack_id, size, table)
        self._start(lambda: self._upload(pack, verify=True), size)

    def writer(self, pack_class: int) -> PackWriter:
        """Makes new packs, which are uploaded when they are full; `finish_writer` sends the last one."""
        try:
            make_dirs(self._tmp)
        except OSError as error:
            raise storage_error(error, "make packs in", self._tmp) from error
        writer = PackWriter(pack_class, self._tmp, self._made.append, sync=False)
        self._writers.append(writer)
        return writer

    def finish_writer(self, writer: PackWriter) -> None:
        """Complete the writer's last pack and start its upload."""
        writer.finish()
        self._writers.remove(writer)
        self.start_made()

    def start_made(self) -> None:
        """Start the upload of packs that writers have finished by now."""
        while self._made:
            pack = self._made.pop(0)
            future = self._start(partial(self._upload_made, pack), pack.size)
            self._temporary[future] = pack.path

    def _start(self, upload: Callable[[], Sent], size: int) -> Future[Sent]:
        while self._pending and (
            len(self._pending) >= self._store.workers.count or sum(self._pending.values()) + size > _AHEAD
        ):
            self._collect(wait(self._pending, return_when="FIRST_COMPLETED").done)
        future = self._store.workers.submit(upload)
        self._pending[future] = size
        return future

    def flush(self) -> None:
        """Wait for all uploads. The first error is raised after the others have ended."""
        self._collect(wait(self._pending).done)

    def _collect(self, done: set[Future[Sent]]) -> None:
        for future in done:
            del self._pending[future]
        for future in done:
            self._temporary.pop(future, None)
            sent = future.result()
            if sent.pack is None:
                self.damaged.append(PackKey(sent.made.pack_class, sent.made.id))
                continue
            self._store.added(sent.pack, sent.made.table)
            self.sent.append(sent.pack)
            self.objects += len(sent.made.table) // TABLE_ENTRY_BYTES
            self.bytes_sent += sent.pack.size
            self._since_index += sent.pack.size
            self._reporter.advance(sent.pack.size)
        if self._since_index >= INDEX_EVERY:
            self._since_index = 0
            self._store.write_index()
            self._on_index(self.sent)

    def _upload_made(self, pack: FinishedPack) -> Sent:
        try:
            return self._upload(pack, verify=False)
        finally:
            discard(None, pack.path)

    def _upload(self, pack: FinishedPack, *, verify: bool) -> Sent:
        if verify:
            try:
                check_leaving(pack.path, pack.pack_class, pack.id, pack.size)
            except (IntegrityError, FormatError):
                return Sent(None, pack)
            except OSError as error:
                raise storage_error(error, "read", pack.path) from error
        failures = 0
        while True:
            indexed = _fresh(pack)
            key = key_of(indexed)
            self._journal.note(key, pack.size)
            try:
                self._store.remote.put_file(key, pack.path)
            except TransientError as error:
                # Its bytes may have arrived, and a collection may be about to delete them: the key is spent.
                failures += 1
                if failures >= TRIES or self._stopping.wait(backoff(failures, error.retry_after)):
                    raise
            else:
                return Sent(indexed, pack)


def _fresh(pack: FinishedPack) -> IndexedPack:
    """The pack under a key that was never used."""
    suffix = bytes(_SUFFIX_BYTES)
    while suffix == bytes(_SUFFIX_BYTES):
        suffix = os.urandom(_SUFFIX_BYTES)
    return IndexedPack(pack.id, suffix, pack.pack_class, pack.size)

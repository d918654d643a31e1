"""A cache and the remotes that fill it: what fetch, push and partial reads share."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from collections.abc import Sequence

from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.pack import META
from dvtool.formats.pack import TREE
from dvtool.model.digest import ObjectId
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.packwriter import FinishedPack
from dvtool.transfer.parallel import Workers
from dvtool.transfer.parallel import threads_for
from dvtool.transfer.receive import Failure
from dvtool.transfer.receive import Item
from dvtool.transfer.receive import Receiver
from dvtool.transfer.remotestore import RemoteStore

_FRESH_BYTES = 32 << 20
"""Pages that were received but are not committed to the cache yet."""


class Session:
    """A context manager. Remotes are contacted, and the cache is locked, only when something is missing."""

    def __init__(
        self, cache: Cache, remotes: Sequence[Remote], *, jobs: int = 0, reporter: Reporter = SILENT, what: str
    ) -> None:
        self.cache = cache
        self.remotes = remotes
        self.reporter = reporter
        self.workers = Workers(threads_for(remotes, jobs))
        self.unreachable: list[StorageError] = []
        """Why remotes could not be asked, where others could."""
        self.received = 0
        """Bytes that came otherwise than through `receiver`."""
        self.damage: list[DvtoolError] = []
        """What reading the cache has found; each names the file."""
        self._what = what
        self._stores: list[RemoteStore] | None = None
        self._receiver: Receiver | None = None
        self._writer: CacheWriter | None = None
        self._fresh: dict[ObjectId, bytes] = {}
        self._fresh_bytes = 0

    def __enter__(self) -> Session:
        self.workers.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            self.workers.__exit__(kind, error, trace)
            if kind is not None and issubclass(kind, StorageError):
                # What has arrived is verified: the next try goes on from there.
                with contextlib.suppress(DvtoolError):
                    self.keep()
        finally:
            if self._writer is not None:
                writer, self._writer = self._writer, None
                writer.__exit__(kind, error, None)

    @property
    def stores(self) -> list[RemoteStore]:
        """The remotes that could be asked and hold a store. Raises `StorageError` when none could be asked."""
        if self._stores is None:
            found = []
            self.unreachable.clear()
            for remote in self.remotes:
                store = RemoteStore(remote, self.cache.root, self.workers)
                try:
                    if store.open():
                        store.load_indexes()
                        found.append(store)
                except StorageError as error:
                    self.unreachable.append(error)
            if self.unreachable and len(self.unreachable) == len(self.remotes):
                raise self.unreachable[0]
            self.use_stores(found)
        assert self._stores is not None
        return self._stores

    def use_stores(self, stores: list[RemoteStore]) -> None:
        """Take these instead of opening the remotes."""
        self._stores = stores

    @property
    def receiver(self) -> Receiver:
        """Brings objects from the remotes."""
        if self._receiver is None:
            stores = self.stores
            self._open_writer()
            self._receiver = Receiver(stores, self.workers, self.cache.tmp, sync=self.cache.settings.durable)
        return self._receiver

    @property
    def bytes_received(self) -> int:
        """Bytes of packs, whole or in part."""
        return self.received + (self._receiver.bytes_received if self._receiver else 0)

    @property
    def writer(self) -> CacheWriter:
        """Opened at first use; the cache stays locked against deletion until the session ends."""
        return self._open_writer()

    def _open_writer(self) -> CacheWriter:
        if self._writer is None:
            writer = CacheWriter(self.cache, what=self._what, on_wait=self.reporter.note)
            self._writer = writer.__enter__()
        return self._writer

    def keep(self) -> None:
        """Commit what was written into the cache so far."""
        if self._writer is not None:
            self._writer.commit()
        self._fresh.clear()
        self._fresh_bytes = 0

    def load_pages(self, oids: Sequence[ObjectId]) -> Mapping[ObjectId, bytes | DvtoolError]:
        """Tree pages from the cache, else from a remote and then kept in the cache."""
        pages: dict[ObjectId, bytes | DvtoolError] = {}
        absent: list[Item] = []
        for oid in oids:
            try:
                pages[oid] = self._fresh.get(oid) or self.cache.read_meta(oid, TREE)
            except (MissingData, IntegrityError, FormatError) as error:
                pages[oid] = error
                absent.append(Item(oid, META, TREE, None))
                if not isinstance(error, MissingData):
                    self.damage.append(error)
        if absent and self.remotes:
            self._receive_pages(absent, pages)
        return pages

    def _receive_pages(self, absent: list[Item], pages: dict[ObjectId, bytes | DvtoolError]) -> None:
        if not self.stores:
            return
        adopted = False

        def deliver(item: Item, data: bytes) -> None:
            self.writer.put_tree(data)
            pages[item.oid] = self._fresh[item.oid] = data
            self._fresh_bytes += len(data)

        def adopt(pack: FinishedPack) -> None:
            nonlocal adopted
            adopted = True
            self.writer.adopt_pack(pack)

        failures = self.receiver.receive(absent, deliver, adopt)
        if adopted or self._fresh_bytes > _FRESH_BYTES:
            self.keep()
        for item in absent:
            failure = failures.get(item.oid)
            if failure is not None:
                if failure.damaged:
                    pages[item.oid] = damage_error(item.oid, failure)
            elif isinstance(pages[item.oid], DvtoolError):
                pages[item.oid] = self.cache.read_meta(item.oid, TREE)


def damage_error(oid: ObjectId, failure: Failure) -> IntegrityError:
    """What a copy with wrong bytes on a remote means."""
    return RemoteDamage(
        f"remote {failure.remote}: {failure.key} does not hold the right bytes of blake3:{oid.hex()}", failure
    )


class RemoteDamage(IntegrityError):
    """Wrong bytes on a remote, with the place."""

    def __init__(self, message: str, failure: Failure) -> None:
        super().__init__(message, path=failure.key, hint="run `dvtool push` from a clone that has the data")
        self.failure = failure

"""Trees and recipes of a remote for a collection: from the cache, else from the remote's packs of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from collections.abc import Mapping
from tempfile import mkdtemp

from dvtool.disk.durable import make_dirs
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import storage_error
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TREE
from dvtool.formats.pack import RecordDecoder
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.store.cache import Cache
from dvtool.store.packcheck import check_recipe_key
from dvtool.store.packfile import PackFile
from dvtool.store.packfile import Table
from dvtool.store.packwriter import FinishedPack
from dvtool.transfer.parallel import Workers
from dvtool.transfer.receive import Item
from dvtool.transfer.receive import Receiver
from dvtool.transfer.remotestore import RemoteStore


class MetaPages:
    """A context manager. What comes from the remote lies in a temporary folder until it ends, never in the cache."""

    def __init__(self, cache: Cache, store: RemoteStore, workers: Workers) -> None:
        self._cache = cache
        self._store = store
        self._workers = workers
        self._folder = b""
        self._packs: list[tuple[PackFile, Table]] = []
        self._decoder = RecordDecoder()
        self._receiver: Receiver | None = None

    def __enter__(self) -> MetaPages:
        return self

    def __exit__(self, *_: object) -> None:
        for file, _table in self._packs:
            file.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def get(self, wanted: Iterable[tuple[ObjectId, int]]) -> Mapping[tuple[ObjectId, int], bytes]:
        """The verified bytes of trees and recipes, by digest and kind; those that are nowhere are left out.

        Raises `IntegrityError` when a copy was found and no copy is right, and `StorageError`.
        """
        found: dict[tuple[ObjectId, int], bytes] = {}
        absent: dict[ObjectId, Item] = {}
        for oid, kind in wanted:
            data = self._local(oid, kind)
            if data is None:
                absent[oid] = Item(oid, META, kind, None)
            else:
                found[oid, kind] = data
        if absent:
            self._receive(absent, found)
        return found

    def _local(self, oid: ObjectId, kind: int) -> bytes | None:
        for file, table in reversed(self._packs):
            entry = table.find(oid)
            if entry is not None and entry.kind == kind:
                objects = file.read_record(entry.offset, self._decoder)
                return _chosen(oid, kind, objects)
        try:
            return self._cache.read_meta(oid, kind)
        except (MissingData, IntegrityError, FormatError):
            return None

    def _receive(self, absent: dict[ObjectId, Item], found: dict[tuple[ObjectId, int], bytes]) -> None:
        def deliver(item: Item, data: bytes) -> None:
            found[item.oid, item.kind] = data

        def adopt(pack: FinishedPack) -> None:
            self._packs.append((PackFile(pack.path), Table(pack.table)))

        failures = self._open().receive(absent.values(), deliver, adopt)
        for oid, item in absent.items():
            failure = failures.get(oid)
            if failure is not None and failure.damaged:
                raise IntegrityError(
                    f"remote {failure.remote}: {failure.key} does not hold the right bytes of blake3:{oid.hex()}",
                    path=failure.key,
                    hint=f"nothing was deleted; `dvtool fsck --remote {failure.remote} --deep` says what is wrong",
                )
            if failure is None and (oid, item.kind) not in found:
                data = self._local(oid, item.kind)
                assert data is not None
                found[oid, item.kind] = data

    def _open(self) -> Receiver:
        if self._receiver is None:
            try:
                make_dirs(self._cache.tmp)
                self._folder = mkdtemp(prefix=b"collect-", dir=self._cache.tmp)
            except OSError as error:
                raise storage_error(error, "keep trees for a while in", self._cache.tmp) from error
            self._receiver = Receiver([self._store], self._workers, self._folder, sync=False)
        return self._receiver


def _chosen(oid: ObjectId, kind: int, objects: list[bytes]) -> bytes:
    """The object of *oid* in its record; the pack was proved whole when it arrived."""
    if kind == TREE:
        return next(data for data in objects if object_id(data) == oid)
    if kind == RECIPE:
        check_recipe_key(oid, objects[0], f"blake3:{oid.hex()}")
    return objects[0]

"""Where a snapshot's bytes go: nowhere but through the hash, or into the cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Protocol

from dvtool.disk.beneath import open_file
from dvtool.disk.clone import read_blocks
from dvtool.disk.signature import signature_of
from dvtool.errors import StorageError
from dvtool.formats.pack import TREE
from dvtool.hashing.digests import new_hasher
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.store.cache import LOOSE_FROM
from dvtool.store.cache import Cache

if TYPE_CHECKING:
    from dvtool.store.cachewriter import CacheWriter

_TRIES = 3
_MANY = 4_096
"""From so many questions on, reading all addresses of the cache first costs less: 0.1 s for a million."""


class Sink(Protocol):
    """What a snapshot needs done with the bytes that it reads."""

    asks_store: bool
    """True when every digest of an unchanged file has to be asked for with `holds`."""

    def small(self, data: bytes) -> ObjectId:
        """A file's bytes, read whole."""

    def large(self, directory_fd: int, name: bytes, path: bytes) -> tuple[ObjectId, os.stat_result]:
        """A file too large to hold in memory: its address, and its status around the reading."""

    def page(self, data: bytes) -> ObjectId:
        """A finished tree page."""

    def holds(self, oid: bytes) -> bool:
        """False when the bytes of an unchanged file must be read again."""

    def holds_all(self, oids: Sequence[bytes]) -> bool:
        """Whether `holds` is true of each; for very many the quicker way to ask."""

    def holds_page(self, oid: bytes) -> bool:
        """False when an unchanged page must be handed in again."""


class HashSink:
    """Only computes digests; remembers the pages that it made."""

    asks_store = False

    def __init__(self) -> None:
        self.pages: dict[bytes, bytes] = {}

    def small(self, data: bytes) -> ObjectId:
        return object_id(data)

    def large(self, directory_fd: int, name: bytes, path: bytes) -> tuple[ObjectId, os.stat_result]:
        return hash_large(directory_fd, name, path)

    def page(self, data: bytes) -> ObjectId:
        oid = object_id(data)
        self.pages[oid] = data
        return oid

    def holds(self, oid: bytes) -> bool:  # noqa: ARG002
        return True

    def holds_all(self, oids: Sequence[bytes]) -> bool:  # noqa: ARG002
        return True

    def holds_page(self, oid: bytes) -> bool:  # noqa: ARG002
        return True


class StoreSink:
    """Puts everything into the cache."""

    asks_store = True

    def __init__(self, cache: Cache, writer: CacheWriter) -> None:
        self._writer = writer
        self._cache = cache
        self.small = writer.put_small
        self.large = writer.put_file
        self.page = writer.put_tree
        self.holds = cache.has_blob
        self._asked = 0

    def holds_all(self, oids: Sequence[bytes]) -> bool:
        self._asked += len(oids)
        if self._asked < _MANY:
            return all(map(self.holds, oids))
        known = self._cache.packs.blobs()
        return all(oid in known or self.holds(oid) for oid in oids)

    def holds_page(self, oid: bytes) -> bool:
        return self._cache.has_meta(oid, TREE)


def is_small(size: int) -> bool:
    """True when a file of *size* bytes is read whole."""
    return size < LOOSE_FROM


def hash_large(directory_fd: int, name: bytes, path: bytes) -> tuple[ObjectId, os.stat_result]:
    """Hash one file in blocks. Raises `StorageError` when it keeps changing."""
    for _ in range(_TRIES):
        fd = open_file(directory_fd, name, shown=path)
        try:
            before = os.fstat(fd)
            hasher = new_hasher()
            total = read_blocks(fd, hasher.update)
            after = os.fstat(fd)
        finally:
            os.close(fd)
        if signature_of(before) == signature_of(after) and total == after.st_size:
            return ObjectId(hasher.digest()), after
    raise StorageError(f"{show(path)} keeps changing while it is read", path=path, hint="run the command again later")

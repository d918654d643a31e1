"""Freeing the space of blobs whose bytes are kept elsewhere: whole packs go, partly wanted ones are written anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from typing import NamedTuple

from dvtool.disk.lock import LockHandle
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import storage_error
from dvtool.formats.pack import DATA
from dvtool.model.digest import OBJECT_ID_BYTES
from dvtool.model.digest import ObjectId
from dvtool.store.cache import Cache
from dvtool.store.consolidate import SMALL_BYTES
from dvtool.store.consolidate import publish_packs
from dvtool.store.deletion import delete_packs
from dvtool.store.localpacks import PackKey
from dvtool.store.packfile import Table
from dvtool.store.rewriting import rewrite

_WORTH = 4
"""A pack of full size is written anew where at least one part in so many of it can go."""
_LOOSE_AT_ONCE = 4_096


class Freed(NamedTuple):
    """``objects`` are gone, and the files of the cache are ``bytes`` smaller. ``left``: objects that stay
    because most of what shares their packs is needed.
    """

    objects: int
    bytes: int
    left: int


def free_blobs(cache: Cache, blobs: Callable[[], Iterable[ObjectId]], lock: LockHandle) -> Freed:
    """Take blobs out of the cache; *blobs* is called more than once and must give the same each time.

    The caller proves before that they are kept elsewhere or wanted by nobody. What is damaged stays.
    *lock*: the exclusive lock. Raises `StorageError`; what was not reached then stays.
    """
    try:
        cache.forget()
        loose, bytes_loose = _free_loose(cache, blobs(), lock)
        packed, bytes_packed, left = _free_packed(cache, blobs, lock)
        cache.packs.write_index_if_due()
        cache.forget()
    except OSError as error:
        raise storage_error(error, "free space in", error.filename or cache.root) from error
    return Freed(loose + packed, bytes_loose + bytes_packed, left)


def _free_loose(cache: Cache, blobs: Iterable[ObjectId], lock: LockHandle) -> tuple[int, int]:
    objects = freed = 0
    batch: dict[ObjectId, int] = {}
    for oid in blobs:
        if cache.has_loose(oid) and oid not in batch:
            status = os.stat(cache.loose_path(oid))
            # A file in a worktree that is a link to it keeps the space.
            batch[oid] = status.st_size if status.st_nlink == 1 else 0
        if len(batch) >= _LOOSE_AT_ONCE:
            objects, freed = objects + len(batch), freed + sum(batch.values())
            delete_packs(cache, (), lock, loose=batch)
            batch = {}
    delete_packs(cache, (), lock, loose=batch)
    cache.forget()
    return objects + len(batch), freed + sum(batch.values())


def _free_packed(cache: Cache, blobs: Callable[[], Iterable[ObjectId]], lock: LockHandle) -> tuple[int, int, int]:
    freed = 0
    gone: dict[PackKey, int] = {}
    kept: dict[PackKey, int] = {}
    while True:
        # An object can lie in several packs; one is found each time.
        found = _by_pack(cache, blobs())
        todo = {key: digests for key, digests in found.items() if key not in kept}
        if not todo:
            return sum(gone.values()), freed, sum(kept.values())
        for key, digests in sorted(todo.items()):
            dead = {bytes(digests[at : at + OBJECT_ID_BYTES]) for at in range(0, len(digests), OBJECT_ID_BYTES)}
            amount = _free_in_pack(cache, key, dead, lock)
            if amount is None:
                kept[key] = len(dead)
            else:
                freed += amount
                gone[key] = len(dead)


def _by_pack(cache: Cache, blobs: Iterable[ObjectId]) -> dict[PackKey, bytearray]:
    """The addresses of *blobs* in each pack, one after the other: 32 bytes an object."""
    found: dict[PackKey, bytearray] = {}
    for oid in blobs:
        place = cache.packs.find(oid, DATA)
        if place is not None:
            found.setdefault(place.pack, bytearray()).extend(oid)
    return found


def _free_in_pack(cache: Cache, key: PackKey, dead: Collection[bytes], lock: LockHandle) -> int | None:
    """The bytes that are free now; None where the pack stays as it is."""
    path = cache.packs.path(key)
    size = os.lstat(path).st_size
    try:
        entries = Table(cache.packs.table(key)).entries()
        part = sum(entry.size for entry in entries if entry.digest in dead)
        if len(dead) == len(entries):
            delete_packs(cache, [key], lock)
            return size
        if size >= SMALL_BYTES and part * _WORTH < sum(entry.size for entry in entries):
            return None
        # Every object that is kept is proved on the way.
        finished = rewrite(cache, key, lambda digest, _: digest not in dead)
    except (FormatError, IntegrityError):
        return None
    new = publish_packs(cache, [finished], [key])
    delete_packs(cache, [key] if key not in new else [], lock)
    return size - finished.size

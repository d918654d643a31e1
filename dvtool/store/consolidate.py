"""Small packs of a cache are merged, so that many commands that add little do not leave many packs.

Only copies of what was proved are made, and a pack goes after everything in it lies in another
one, durably: a command that is killed on the way leaves the old packs, or both.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from dvtool.disk.durable import discard
from dvtool.disk.durable import fsync_dir
from dvtool.disk.durable import publish
from dvtool.disk.lock import LockHandle
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import Locked
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import PACK_OBJECTS_LIMIT
from dvtool.formats.pack import RECORD_OBJECTS_LIMIT
from dvtool.formats.pack import TREE
from dvtool.store.cache import Cache
from dvtool.store.deletion import delete_packs
from dvtool.store.localpacks import PackKey
from dvtool.store.packcheck import check_arrived
from dvtool.store.packcheck import check_whole
from dvtool.store.packfile import Table
from dvtool.store.packrescue import good_objects
from dvtool.store.packwriter import PACK_WANTED
from dvtool.store.packwriter import FinishedPack
from dvtool.store.packwriter import PackWriter

MERGED_BYTES = PACK_WANTED
MERGED_OBJECTS = PACK_OBJECTS_LIMIT - RECORD_OBJECTS_LIMIT
"""A merge makes one pack of at most so many bytes and objects."""
SMALL_BYTES = MERGED_BYTES // 8
SMALL_OBJECTS = MERGED_OBJECTS // 8
SMALL_PACKS = 32
"""Over so many small packs of one class, some are merged."""


class SmallPack(NamedTuple):
    """A pack with less than `SMALL_BYTES` bytes in its file and less than `SMALL_OBJECTS` objects."""

    size: int
    key: PackKey
    objects: int


Plan = tuple[tuple[PackKey, ...], ...]
"""The packs of each group are to become one."""


def plan_consolidation(packs: Iterable[SmallPack]) -> Plan:
    """For each class with too many small packs, the smallest ones, so that each of those left is twice the next.

    Every byte that is merged lands in a pack at least half as large again as the one it lay in, so
    it is copied O(log n) times. A merge that would pass the limits of a pack takes less: then more
    are left for the next command.
    """
    of_class: dict[int, list[SmallPack]] = {}
    for pack in packs:
        of_class.setdefault(pack.key.pack_class, []).append(pack)
    crowded = [sorted(members) for _, members in sorted(of_class.items()) if len(members) > SMALL_PACKS]
    groups = (_smallest(members) for members in crowded)
    return tuple(tuple(pack.key for pack in group) for group in groups if len(group) > 1)


def _smallest(packs: Sequence[SmallPack]) -> Sequence[SmallPack]:
    """The beginning of *packs*, in rising order, after whose merge each pack is at least twice the one before."""
    end = len(packs) - 1
    while end > 0 and packs[end].size >= 2 * packs[end - 1].size:
        end -= 1
    total = objects = 0
    for number, pack in enumerate(packs):
        if number >= end and pack.size >= 2 * total:
            return packs[:number]
        if total + pack.size > MERGED_BYTES or objects + pack.objects > MERGED_OBJECTS:
            return packs[:number]
        total += pack.size
        objects += pack.objects
    return packs


def consolidate_if_due(cache: Cache) -> int:
    """Merge small packs where there are too many and nobody else uses the cache. Returns the bytes written.

    Takes the exclusive lock without waiting: the caller holds none. Raises ``OSError``, `IntegrityError`
    and `FormatError`; the cache is whole all the same.
    """
    if not _is_crowded(cache.packs.keys()):
        return 0
    try:
        lock = cache.lock.acquire(shared=False, timeout=0.0, what="merging small packs")
    except Locked:
        return 0
    with lock:
        if lock.degraded:
            return 0
        cache.forget()
        return consolidate(cache, plan_consolidation(_small_packs(cache)), lock)


def _is_crowded(sizes: Mapping[PackKey, int]) -> bool:
    counts = Counter(key.pack_class for key, size in sizes.items() if size < SMALL_BYTES)
    return any(count > SMALL_PACKS for count in counts.values())


def _small_packs(cache: Cache) -> Iterable[SmallPack]:
    sizes = cache.packs.keys()
    for key, size in list(sizes.items()):
        if size < SMALL_BYTES:
            try:
                objects = cache.packs.open(key).footer.entries
            except (FormatError, IntegrityError, FileNotFoundError):
                continue
            if objects < SMALL_OBJECTS:
                yield SmallPack(size, key, objects)


def consolidate(cache: Cache, plan: Plan, lock: LockHandle) -> int:
    """Carry *plan* out and return the bytes written; damaged packs stay as they are. Needs the exclusive *lock*.

    Raises as `consolidate_if_due`.
    """
    written = 0
    for keys in plan:
        finished, merged = _merge(cache, list(keys))
        _keep_age(cache, finished, merged)
        written += sum(pack.size for pack in finished)
        new = publish_packs(cache, finished, merged)
        delete_packs(cache, [key for key in merged if key not in new], lock)
    if written:
        cache.packs.write_index_if_due()
    return written


def _keep_age(cache: Cache, finished: Iterable[FinishedPack], merged: Iterable[PackKey]) -> None:
    """The new packs are as old as the youngest that went into them: a collection leaves alone what is young."""
    newest = max((os.stat(cache.packs.path(key)).st_mtime_ns for key in merged), default=0)
    for pack in finished:
        os.utime(pack.path, ns=(newest, newest))


def _merge(cache: Cache, keys: list[PackKey]) -> tuple[list[FinishedPack], list[PackKey]]:
    """The new packs (one, unless damage or limits forbid it), and those of *keys* that are wholly in them."""
    while len(keys) > 1:
        finished: list[FinishedPack] = []
        writer = PackWriter(keys[0].pack_class, cache.tmp, finished.append, sync=cache.settings.durable)
        damaged = None
        try:
            damaged = _copy(cache, keys, writer)
            if damaged is None:
                writer.finish()
                return finished, keys
        except BaseException:
            writer.abort()
            _discard(finished)
            raise
        writer.abort()
        _discard(finished)
        keys.remove(damaged)
    return [], []


def _copy(cache: Cache, keys: Iterable[PackKey], writer: PackWriter) -> PackKey | None:
    """Add all objects of *keys* once; gives the first pack that is not right in all, where it stops."""
    copied: set[bytes] = set()
    for key in keys:
        path = cache.packs.path(key)
        try:
            table = Table(check_whole(path, key.pack_class, key.id, os.lstat(path).st_size))
        except (FormatError, IntegrityError):
            return key
        proved: set[bytes] = set()
        for oid, kind, data in good_objects(path, key, table):
            proved.add(oid)
            if oid not in copied:
                copied.add(oid)
                (writer.add if kind in (BYTES, TREE) else writer.add_alone)(oid, kind, data)
        if len(proved) != len(table):
            return key
    return None


def publish_packs(cache: Cache, finished: list[FinishedPack], merged: list[PackKey]) -> set[PackKey]:
    """Give the packs their names, durably. Where a name is taken, what lies there is proved instead."""
    folders: set[bytes] = set()
    new: set[PackKey] = set()
    try:
        for pack in finished:
            key = PackKey(pack.pack_class, pack.id)
            new.add(key)
            final = cache.packs.path(key)
            folders.add(os.path.dirname(final))
            cache.make_folder(os.path.dirname(final))
            if publish(pack.path, final):
                cache.packs.added(key, pack.size, pack.table)
            elif key not in merged:
                check_arrived(final, key.pack_class, key.id, os.lstat(final).st_size, sync=cache.settings.durable)
    except BaseException:
        _discard(finished)
        raise
    if cache.settings.durable:
        for folder in sorted(folders | {os.path.dirname(folder) for folder in folders}, reverse=True):
            fsync_dir(folder)
    return new


def _discard(finished: Iterable[FinishedPack]) -> None:
    for pack in finished:
        discard(None, pack.path)

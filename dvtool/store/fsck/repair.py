"""Healing the files of a cache: what is wrong is proved so again, saved in part, and set aside; no data is deleted."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import storage_error
from dvtool.formats.index import IndexReader
from dvtool.hashing.digests import object_id
from dvtool.hashing.digests import pack_id
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.store.cache import Cache
from dvtool.store.fsck.listing import list_cache
from dvtool.store.fsck.packs import check_loose
from dvtool.store.fsck.values import Finding
from dvtool.store.fsck.values import Kind
from dvtool.store.localpacks import PackKey
from dvtool.store.names import STORE_FILE
from dvtool.store.names import parse_loose_name
from dvtool.store.names import parse_pack_name
from dvtool.store.runfiles import RunFiles
from dvtool.store.runfiles import is_entry
from dvtool.store.salvage import SetAside
from dvtool.store.salvage import set_aside_file
from dvtool.store.salvage import set_aside_loose
from dvtool.store.salvage import set_aside_pack
from dvtool.store.storefile import ensure_store_file
from dvtool.store.storefile import read_store_file

_READ_ONLY = 0o444


@dataclass(frozen=True, slots=True)
class CacheRepair:
    """What to do to the files of a cache, in this order."""

    store_file: bool
    packs: tuple[PackKey, ...]
    loose: tuple[ObjectId, ...]
    indexes: tuple[bytes, ...]
    protect: bool
    runs: tuple[bytes, ...] = ()

    @property
    def is_nothing(self) -> bool:
        return not (self.store_file or self.packs or self.loose or self.indexes or self.protect or self.runs)


def plan_cache_repair(findings: Iterable[Finding]) -> CacheRepair:
    """What *findings* in the cache ask for."""
    places: dict[Kind, list[bytes]] = {}
    for finding in findings:
        places.setdefault(finding.kind, []).append(finding.place)
    packs = (parse_pack_name(os.fsdecode(place)) for place in places.get(Kind.PACK, ()))
    loose = (parse_loose_name(os.fsdecode(place)) for place in places.get(Kind.LOOSE, ()))
    return CacheRepair(
        store_file=Kind.STORE_FILE in places,
        packs=tuple(PackKey(pack[0], pack[1]) for pack in packs if pack is not None),
        loose=tuple(oid for oid in loose if oid is not None),
        indexes=tuple(places.get(Kind.INDEX, ())),
        protect=Kind.WRITABLE in places,
        runs=tuple(places.get(Kind.RUNS, ())),
    )


def execute_cache_repair(
    cache: Cache, plan: CacheRepair, *, on_wait: Callable[[str], None] | None = None
) -> list[SetAside]:
    """Carry *plan* out. Killed anywhere, the same command goes on. Raises `StorageError`, `Locked`."""
    if plan.is_nothing:
        return []
    try:
        if plan.store_file:
            _renew_store_file(cache)
        cache.create()
        with cache.lock.acquire(shared=True, on_wait=on_wait, what="fsck --repair"):
            return _set_aside(cache, plan)
    except OSError as error:
        raise storage_error(error, "repair", error.filename or cache.root) from error


def _renew_store_file(cache: Cache) -> None:
    try:
        read_store_file(cache.root)
    except FormatError:
        set_aside_file(cache, os.path.join(cache.root, os.fsencode(STORE_FILE)))
    ensure_store_file(cache.root)


def _set_aside(cache: Cache, plan: CacheRepair) -> list[SetAside]:
    tables = _tables_of(cache, set(plan.packs))
    found = [_set_aside_index(cache, os.path.join(cache.root, place)) for place in plan.indexes]
    for key in plan.packs:
        with contextlib.suppress(FileNotFoundError):
            found.append(set_aside_pack(cache, key, tables.get(key)))
    for oid in plan.loose:
        with contextlib.suppress(FileNotFoundError):
            found.append(set_aside_loose(cache, oid))
    if plan.protect:
        found += _protect(cache)
    for place in plan.runs:
        RunFiles(cache).keep(os.path.join(cache.root, place), is_entry)
    cache.forget()
    cache.packs.write_index_if_due()
    return [each for each in found if each is not None]


def _tables_of(cache: Cache, keys: set[PackKey]) -> dict[PackKey, bytes]:
    """Tables of these packs as index files tell them, each proved by its pack's id."""
    found: dict[PackKey, bytes] = {}
    for name in list_cache(cache.root).indexes if keys else ():
        path = os.path.join(cache.root, b"index", name)
        try:
            with open(path, "rb") as file:
                reader = IndexReader(file.read(), show(path))
            rows = zip(reader.packs, reader.tables())
        except (FormatError, IntegrityError, FileNotFoundError):
            continue
        for pack, table in rows:
            key = PackKey(pack.pack_class, pack.id)
            if key in keys and pack_id(key.pack_class, table) == key.id:
                found[key] = table
    return found


def _set_aside_index(cache: Cache, path: bytes) -> SetAside | None:
    try:
        with open(path, "rb") as file:
            data = file.read()
        reader = IndexReader(data, show(path))
        reader.verify()
        is_right = object_id(data).hex().encode("ascii") == os.path.basename(path) and all(
            pack_id(pack.pack_class, table) == pack.id for pack, table in zip(reader.packs, reader.tables())
        )
    except FileNotFoundError:
        return None
    except (FormatError, IntegrityError):
        is_right = False
    return None if is_right else SetAside(path, set_aside_file(cache, path), 0, ())


def _protect(cache: Cache) -> list[SetAside | None]:
    """Files that somebody could write to are hashed, then made read-only again."""
    found: list[SetAside | None] = []
    for oid in list_cache(cache.root).writable:
        path = cache.loose_path(oid)
        if check_loose(path, oid, lambda _: None):
            found.append(set_aside_loose(cache, oid))
        else:
            with contextlib.suppress(PermissionError):
                os.chmod(path, _READ_ONLY)
    return found

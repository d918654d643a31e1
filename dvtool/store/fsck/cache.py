"""The files of a cache, each by itself: what is damaged, what is left over. Who needs what is not asked here."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from collections.abc import Container
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import field
from itertools import islice
from typing import TypeVar

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats.checktimes import CheckTimes
from dvtool.formats.index import IndexReader
from dvtool.formats.pack import META
from dvtool.formats.records import decode_root_record
from dvtool.formats.records import decode_store_file
from dvtool.hashing.digests import object_id
from dvtool.hashing.digests import pack_id
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.store.fsck.choice import Choice
from dvtool.store.fsck.choice import StoredFile
from dvtool.store.fsck.choice import choose
from dvtool.store.fsck.listing import Listing
from dvtool.store.fsck.packs import PackFault
from dvtool.store.fsck.packs import check_loose
from dvtool.store.fsck.packs import check_pack
from dvtool.store.fsck.packs import examine
from dvtool.store.fsck.values import Counts
from dvtool.store.fsck.values import Finding
from dvtool.store.fsck.values import Kind
from dvtool.store.fsck.values import many
from dvtool.store.localpacks import PackKey
from dvtool.store.names import STORE_FILE
from dvtool.store.names import loose_name
from dvtool.store.names import pack_name
from dvtool.store.runfiles import RunFiles
from dvtool.store.runfiles import is_entry

_THREADS = 2
_AHEAD = 4 * _THREADS
_WRONG = (FormatError, IntegrityError)
T = TypeVar("T")
R = TypeVar("R")


@dataclass(slots=True)
class CacheState:
    """``faults`` and ``bad_loose`` (with why) are damaged files; ``findings`` all else. ``right``: read whole, by name.

    ``known_tables``: tables of damaged packs as a right index tells them.
    """

    findings: list[Finding] = field(default_factory=list)
    faults: dict[PackKey, PackFault] = field(default_factory=dict)
    bad_loose: dict[ObjectId, str] = field(default_factory=dict)
    known_tables: dict[PackKey, bytes] = field(default_factory=dict)
    right: set[str] = field(default_factory=set)
    files: list[StoredFile] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)


def check_cache_files(
    cache: Cache, listing: Listing, choice: Choice, times: CheckTimes, reporter: Reporter
) -> CacheState:
    """Check every file of *listing*; packs of trees whole, others as *choice* says.

    Raises ``OSError``, and `FormatError` for a store of a newer version.
    """
    state = CacheState()
    state.findings += _store_file(cache.root, listing)
    state.findings += _root_files(cache.root, listing.roots)
    state.findings += _run_files(cache)
    state.files = [StoredFile(pack_name(*key), size) for key, size in listing.packs.items()]
    state.files += [StoredFile(loose_name(oid), size) for oid, size in listing.loose.items()]
    state.counts.loose = len(listing.loose)
    whole = choose(state.files, choice, times)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="fsck") as pool:
        wrong = _packs(cache, listing, whole, pool, state, reporter)
        if whole:
            _loose(cache, listing, whole, pool, state, reporter)
    state.findings += _index_files(cache.root, listing.indexes, wrong, state)
    for key, why in wrong.items():
        state.faults[key] = examine(cache.packs.path(key), key, why, state.known_tables.get(key))
    return state


def _store_file(root: bytes, listing: Listing) -> Iterator[Finding]:
    place = os.fsencode(STORE_FILE)
    path = os.path.join(root, place)
    if not listing.has_store_file:
        if listing.packs or listing.loose:
            yield Finding(Kind.STORE_FILE, "", place, f"{show(path)} is not there")
        return
    with open(path, "rb") as file:
        data = file.read(1 << 20)
    try:
        decode_store_file(data, show(path))
    except _WRONG as error:
        if error.hint == "upgrade dvtool":
            raise
        yield Finding(Kind.STORE_FILE, "", place, error.message)


def _index_files(
    root: bytes, names: Iterable[bytes], wrong: Container[PackKey], state: CacheState
) -> Iterator[Finding]:
    for name in names:
        place = os.path.join(b"index", name)
        path = os.path.join(root, place)
        state.counts.indexes += 1
        try:
            with open(path, "rb") as file:
                data = file.read()
            if object_id(data).hex().encode("ascii") != name:
                raise IntegrityError(f"{show(path)}: the bytes are not what its name says")
            reader = IndexReader(data, show(path))
            reader.verify()
            for pack, table in zip(reader.packs, reader.tables()):
                if pack_id(pack.pack_class, table) != pack.id:
                    raise IntegrityError(f"{show(path)}: it does not say what pack {pack.id.hex()} holds")
                if (key := PackKey(pack.pack_class, pack.id)) in wrong:
                    state.known_tables[key] = table
        except FileNotFoundError:
            continue  # merged into another one meanwhile
        except _WRONG as error:
            yield Finding(Kind.INDEX, "", place, error.message)


def _root_files(root: bytes, names: Iterable[bytes]) -> Iterator[Finding]:
    for name in names:
        place = os.path.join(b"roots", name)
        path = os.path.join(root, place)
        try:
            with open(path, "rb") as file:
                decode_root_record(file.read(), show(path))
        except FileNotFoundError:
            continue
        except _WRONG as error:
            yield Finding(Kind.ROOTS, "", place, error.message)


def _run_files(cache: Cache) -> Iterator[Finding]:
    files = RunFiles(cache)
    for path in files.paths():
        wrong = [line.number for line in files.lines_in(path) if not is_entry(line.data)]
        if wrong:
            place = os.path.relpath(path, cache.root)
            why = f"{show(path)}: {many(len(wrong), 'line')} of the run cache damaged, the first is line {wrong[0]}"
            yield Finding(Kind.RUNS, "", place, why, affected=len(wrong))


def _packs(
    cache: Cache, listing: Listing, whole: set[str], pool: ThreadPoolExecutor, state: CacheState, reporter: Reporter
) -> dict[PackKey, str]:
    def is_whole(key: PackKey) -> bool:
        # Trees are little, and without them nobody can tell what is needed.
        return key.pack_class == META or pack_name(*key) in whole

    def check(key: PackKey) -> tuple[PackKey, tuple[str, int] | None]:
        try:
            return key, check_pack(cache.packs.path(key), key, listing.packs[key], whole=is_whole(key))
        except FileNotFoundError:
            return key, None

    wrong: dict[PackKey, str] = {}
    total = sum(size for key, size in listing.packs.items() if is_whole(key))
    reporter.begin("reading packs", total=total, unit="bytes")
    for key, result in _ahead(pool, check, sorted(listing.packs, key=lambda key: -listing.packs[key])):
        if result is None:
            continue
        why, objects = result
        state.counts.packs += 1
        state.counts.objects += objects
        if is_whole(key):
            state.counts.files_read += 1
            state.counts.bytes_hashed += listing.packs[key]
            reporter.advance(listing.packs[key])
        if why:
            wrong[key] = why
        elif is_whole(key):
            state.right.add(pack_name(*key))
    reporter.end()
    return wrong


def _loose(
    cache: Cache, listing: Listing, whole: set[str], pool: ThreadPoolExecutor, state: CacheState, reporter: Reporter
) -> None:
    chosen = [oid for oid in listing.loose if loose_name(oid) in whole]

    def check(oid: ObjectId) -> tuple[ObjectId, str | None]:
        try:
            return oid, check_loose(cache.loose_path(oid), oid, reporter.advance)
        except FileNotFoundError:
            return oid, None

    reporter.begin("reading large files", total=sum(listing.loose[oid] for oid in chosen), unit="bytes")
    for oid, why in _ahead(pool, check, chosen):
        if why is None:
            continue
        state.counts.files_read += 1
        state.counts.bytes_hashed += listing.loose[oid]
        if why:
            state.bad_loose[oid] = why
        else:
            state.right.add(loose_name(oid))
    reporter.end()


def _ahead(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Results in order, a few items ahead of who takes them."""
    rest = iter(items)
    pending = deque(pool.submit(work, item) for item in islice(rest, _AHEAD))
    while pending:
        yield pending.popleft().result()
        pending.extend(pool.submit(work, item) for item in islice(rest, 1))

"""The files of a cache, damaged in every way that a file can be."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from dvtool.errors import FormatError
from dvtool.errors import UsageError
from dvtool.formats.checktimes import CheckTimes
from dvtool.formats.index import IndexReader
from dvtool.formats.index import encode_index
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import unpack_table_entry
from dvtool.formats.recipe import FASTCDC
from dvtool.formats.recipe import PIECE
from dvtool.formats.recipe import Piece
from dvtool.formats.recipe import Recipe
from dvtool.formats.recipe import encode_recipe
from dvtool.formats.records import Root
from dvtool.formats.records import StoreFile
from dvtool.formats.sealed import seal
from dvtool.hashing.digests import object_id
from dvtool.model.ports import SILENT
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.store.cacheroots import keep_roots
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.fsck.cache import CacheState
from dvtool.store.fsck.cache import check_cache_files
from dvtool.store.fsck.choice import STRUCTURE
from dvtool.store.fsck.choice import CheckTimesFile
from dvtool.store.fsck.choice import Choice
from dvtool.store.fsck.choice import StoredFile
from dvtool.store.fsck.choice import choice_of
from dvtool.store.fsck.choice import choose
from dvtool.store.fsck.listing import list_cache
from dvtool.store.fsck.repair import execute_cache_repair
from dvtool.store.fsck.repair import plan_cache_repair
from dvtool.store.fsck.values import Finding
from dvtool.store.fsck.values import Kind
from tests.support.datasets import content
from tests.support.datasets import damage
from tests.support.datasets import many_files
from tests.support.datasets import store_directory
from tests.support.datasets import store_file

DEEP = Choice(deep=True)
BLOB = object_id(b"a large file")
POSITIONS = 40
"""Bits flipped in each file; with the seven files that the cache has, 280."""


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """One file of each kind: packs of blobs and of trees, an index, two loose ones, store file, root file."""
    cache = Cache(os.fsencode(tmp_path / "cache"), Settings(durable=False))
    with CacheWriter(cache, what="test") as writer:
        writer.put_keyed(BLOB, RECIPE, encode_recipe(Recipe(BLOB, 3, FASTCDC, (Piece(object_id(b"p"), 3, PIECE),))))
        writer.commit()
    wanted = store_directory(cache, {**many_files(30, 900), "large": content("large", 150_000)})
    store_file(cache, content("other", 200_000))
    cache.packs.rebuild_index()
    keep_roots(cache, "ab" * 16, "0123456789abcdef", [Root(True, wanted.oid)])
    cache.forget()
    return cache


def files_of(cache: Cache) -> list[Path]:
    root = Path(os.fsdecode(cache.root))
    return sorted(path for path in root.rglob("*") if path.is_file() and path.name != "lock")


def check(cache: Cache, choice: Choice = DEEP) -> CacheState:
    fresh = Cache(cache.root, cache.settings)
    return check_cache_files(fresh, list_cache(cache.root), choice, CheckTimes(), SILENT)


def places(state: CacheState, cache: Cache) -> set[str]:
    """The names of the files in which something is wrong."""
    found = {os.path.relpath(cache.packs.path(key), cache.root) for key in state.faults}
    found |= {os.path.relpath(cache.loose_path(oid), cache.root) for oid in state.bad_loose}
    return {os.fsdecode(place) for place in found | {finding.place for finding in state.findings}}


def test_a_sound_cache_has_no_findings(cache: Cache) -> None:
    for choice in (STRUCTURE, DEEP):
        assert places(check(cache, choice), cache) == set()
    state = check(cache)
    assert (state.counts.packs, state.counts.loose, state.counts.indexes) == (3, 2, 1)
    assert state.counts.bytes_hashed == sum(file.size for file in state.files)


def test_every_flipped_bit_is_found_and_named(cache: Cache) -> None:
    chance = random.Random(7)
    missed = []
    tried = 0
    for path in files_of(cache):
        name = path.relative_to(os.fsdecode(cache.root)).as_posix()
        size = path.stat().st_size
        for at in {0, size - 1, *(chance.randrange(size) for _ in range(POSITIONS - 2))}:
            bit = 1 << chance.randrange(8)
            data = bytearray(path.read_bytes())
            data[at] ^= bit
            overwrite(path, bytes(data))
            tried += 1
            try:
                found = places(check(cache), cache)
            except FormatError as error:
                # A store file of a newer version is refused, not judged.
                found = {name} if "newer" in error.message and "store" in name else set()
            if found != {name}:
                missed.append((name, at, bit, found))
            data[at] ^= bit
            overwrite(path, bytes(data))
    assert tried >= 200
    assert missed == []
    assert places(check(cache), cache) == set()


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(data)
    path.chmod(0o444)


def test_every_truncation_is_found(cache: Cache) -> None:
    missed = []
    for path in files_of(cache):
        whole = path.read_bytes()
        for size in (0, 1, len(whole) // 2, len(whole) - 1):
            overwrite(path, whole[:size])
            name = path.relative_to(os.fsdecode(cache.root)).as_posix()
            if places(check(cache), cache) != {name}:
                missed.append((name, size))
        overwrite(path, whole + b"\0")
        if places(check(cache), cache) != {path.relative_to(os.fsdecode(cache.root)).as_posix()}:
            missed.append((path.name, len(whole) + 1))
        overwrite(path, whole)
    assert missed == []


def test_without_reading_all_the_structure_is_checked(cache: Cache) -> None:
    """The table, the head of each record and every tree are read; the bytes of files are not."""
    pack = next(path for path in files_of(cache) if "/data/" in str(path))
    damage(pack, 16)
    assert places(check(cache, STRUCTURE), cache) == {f"data/{pack.parent.name}/{pack.name}"}
    damage(pack, 16)
    damage(pack, 2_000)
    assert places(check(cache, STRUCTURE), cache) == set()
    meta = next(path for path in files_of(cache) if "/meta/" in str(path))
    damage(meta, 60)
    assert places(check(cache, STRUCTURE), cache) == {f"meta/{meta.parent.name}/{meta.name}"}


def test_an_index_that_lies_under_a_right_name_is_found(cache: Cache) -> None:
    """Its checksum and its name are right; only the pack's id tells."""
    (path,) = (path for path in files_of(cache) if path.parent.name == "index")
    reader = IndexReader(path.read_bytes(), "index")
    rows = []
    for pack, table in zip(reader.packs, reader.tables(), strict=True):
        lie = bytearray(table)
        lie[36] ^= 1  # the size of the first object
        rows.append((pack, bytes(lie)))
    data = encode_index(rows)
    path.unlink()
    path.with_name(object_id(data).hex()).write_bytes(data)
    state = check(cache)
    assert [(finding.kind, finding.place) for finding in state.findings] == [
        (Kind.INDEX, b"index/" + object_id(data).hex().encode())
    ]


def test_a_newer_store_is_not_judged(cache: Cache) -> None:
    path = Path(os.fsdecode(cache.root), "dvtool-store.json")
    body = {"store_id": StoreFile("00" * 16).store_id, "chunker": {}}
    overwrite(path, seal("store", 9, body))
    with pytest.raises(FormatError, match="newer"):
        check(cache)


def test_what_is_left_over_and_what_does_not_belong(cache: Cache) -> None:
    root = Path(os.fsdecode(cache.root))
    (root / "tmp").mkdir(exist_ok=True)
    for name in ("tmp/.dvtool-tmp-01", "index/.dvtool-part-02", ".dvtool-part-03", "data/README", "objects/zz"):
        (root / name).write_bytes(b"x")
    loose = next(path for path in files_of(cache) if "/objects/" in str(path) and path.name != "zz")
    loose.chmod(0o644)
    listing = list_cache(cache.root)
    assert sorted(listing.leftovers) == [b".dvtool-part-03", b"index/.dvtool-part-02", b"tmp/.dvtool-tmp-01"]
    assert sorted(listing.stray) == [b"data/README", b"objects/zz"]
    assert [oid.hex() for oid in listing.writable] == [loose.name]


FAULTS: dict[str, Callable[[Path], None]] = {
    "flipped": lambda path: damage(path, path.stat().st_size // 2),
    "first byte": lambda path: damage(path, 0),
    "last byte": lambda path: damage(path, -1),
    "short": lambda path: overwrite(path, path.read_bytes()[:-5]),
    "empty": lambda path: overwrite(path, b""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_repair_leaves_a_sound_cache_and_loses_nothing_that_was_right(cache: Cache, fault: str) -> None:
    readable = readable_objects(cache)
    for path in files_of(cache):
        if path.parent.name == "roots":
            continue  # only the workspace that it belongs to can write it again
        kept = {each: each.read_bytes() for each in files_of(cache)}
        FAULTS[fault](path)
        for _ in range(2):
            state = check(cache)
            execute_cache_repair(Cache(cache.root, cache.settings), plan_cache_repair(findings(state, cache)))
        assert places(check(cache), cache) == set(), path
        assert path.read_bytes() == kept[path] if path.exists() and path.name != "dvtool-store.json" else True
        lost = readable - readable_objects(cache)
        known = Cache(cache.root, cache.settings)
        assert len(lost) <= 31, (path, len(lost))
        assert not any(known.has_blob(oid) for oid in lost)
        for each, data in kept.items():
            each.unlink(missing_ok=True)
            each.write_bytes(data)
            each.chmod(0o444)


def findings(state: CacheState, cache: Cache) -> list[Finding]:
    packs = [Finding(Kind.PACK, "", os.path.relpath(cache.packs.path(key), cache.root), "") for key in state.faults]
    loose = [Finding(Kind.LOOSE, "", os.path.relpath(cache.loose_path(oid), cache.root), "") for oid in state.bad_loose]
    return [*packs, *loose, *state.findings]


def readable_objects(cache: Cache) -> set[bytes]:
    known = Cache(cache.root, cache.settings)
    found = set()
    for key in [*known.packs.keys()]:
        table = known.packs.table(key)
        for at in range(0, len(table), 40):
            entry = unpack_table_entry(table, at)
            if any(object_id(data) == entry.digest for data in known.packs.read_record(key, entry.offset)):
                found.add(entry.digest)
    return found


def test_of_a_pack_without_a_readable_table_the_index_still_tells_what_it_held(cache: Cache) -> None:
    pack = next(path for path in files_of(cache) if "/meta/" in str(path) and len(path.read_bytes()) < 400)
    damage(pack, -1)
    state = check(cache)
    (fault,) = state.faults.values()
    assert set(fault.unreadable) == {BLOB}
    (aside,) = execute_cache_repair(Cache(cache.root, cache.settings), plan_cache_repair(findings(state, cache)))
    assert aside.saved == 1
    assert Cache(cache.root).has_meta(BLOB, RECIPE)


def test_the_parts_together_are_everything_and_share_nothing() -> None:
    files = [StoredFile(f"data/{number:02x}/{number:064x}", 1) for number in range(100)]
    parts = [
        choose(files, choice_of(deep=False, subset=f"{n}/7", max_age=None, now=0), CheckTimes()) for n in range(1, 8)
    ]
    assert sum(map(len, parts)) == 100
    assert set().union(*parts) == {file.name for file in files}
    assert all(parts)


def test_a_share_is_at_least_one_file() -> None:
    files = [StoredFile(f"data/{number}", 1) for number in range(100)]
    for text, count in (("5%", 5), ("0.1%", 1), ("100%", 100)):
        assert len(choose(files, choice_of(deep=False, subset=text, max_age=None, now=0), CheckTimes())) == count


@pytest.mark.parametrize("text", ["", "5", "0%", "101%", "0/7", "8/7", "1/0", "-1/7", "x"])
def test_a_subset_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        choice_of(deep=True, subset=text, max_age=None, now=0)


@pytest.mark.parametrize("text", ["", "5", "d", "-1d", "3 days"])
def test_an_age_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        choice_of(deep=True, subset=None, max_age=text, now=0)


def test_what_was_read_lately_is_not_read_again(tmp_path: Path) -> None:
    files = [StoredFile(f"data/{number}", 1) for number in range(10)]
    state = os.fsencode(tmp_path)
    CheckTimesFile(state, "ab").save(files, {"data/1", "data/2"}, now=1_000_000)
    CheckTimesFile(state, "ab").save(files[:9], {"data/2", "data/3"}, now=1_050_000)

    def due(now: float) -> set[str]:
        return choose(
            files, choice_of(deep=False, subset=None, max_age="1d", now=now), CheckTimesFile(state, "ab").times
        )

    assert due(1_060_000) == {file.name for file in files} - {"data/1", "data/2", "data/3"}
    assert due(1_100_000) == {file.name for file in files} - {"data/2", "data/3"}
    assert len(due(2_000_000)) == 10
    assert len(due(900_000)) == 10  # the clock was wrong then, or is now
    assert len(CheckTimesFile(state, "cd").times) == 0


def test_damaged_check_times_mean_that_nothing_was_checked(tmp_path: Path) -> None:
    state = os.fsencode(tmp_path)
    CheckTimesFile(state, "ab").save([StoredFile("data/1", 1)], {"data/1"}, now=5)
    damage(tmp_path / "fsck" / "ab", 20)
    assert len(CheckTimesFile(state, "ab").times) == 0

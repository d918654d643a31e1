"""Packs on disk: damage and strangers in a cache never end in a traceback or in wrong bytes."""

from __future__ import annotations

import gc
import os
import struct
import sys
from pathlib import Path

import pytest
from xxhash import xxh3_64_intdigest

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.formats.index import IndexedPack
from dvtool.formats.index import encode_index
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import RecordDecoder
from dvtool.formats.pack import pack_table_entry
from dvtool.formats.tree import encode_leaf
from dvtool.hashing.digests import object_id
from dvtool.hashing.digests import pack_id
from dvtool.model.digest import ObjectId
from dvtool.store import localpacks
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.localpacks import PackKey
from dvtool.store.packfile import PackFile
from dvtool.store.packfile import Table
from dvtool.store.packwriter import FinishedPack
from dvtool.store.packwriter import PackWriter

TEXTS = [b"line %d of some text\n" % number * 20 for number in range(300)]


@pytest.fixture
def root(tmp_path: Path) -> bytes:
    return os.fsencode(tmp_path / "cache")


def new_cache(root: bytes) -> Cache:
    return Cache(root, Settings(durable=False))


def store(root: bytes, texts: list[bytes]) -> list[ObjectId]:
    with CacheWriter(new_cache(root), what="test") as writer:
        oids = [writer.put_small(text) for text in texts]
        writer.commit()
    return oids


def write_pack(tmp_path: Path, texts: list[bytes], pack_class: int = DATA, kind: int = BYTES) -> FinishedPack:
    finished: list[FinishedPack] = []
    writer = PackWriter(pack_class, os.fsencode(tmp_path), finished.append, sync=False)
    for text in texts:
        writer.add(object_id(text), kind, text)
    writer.finish()
    return finished[0]


def test_a_written_pack_gives_every_object_back(tmp_path: Path) -> None:
    finished = write_pack(tmp_path, [*TEXTS, b"", bytes(1 << 20)])
    pack = PackFile(finished.path)
    table = Table(pack.table(finished.id))
    assert table.data == finished.table
    assert finished.id == pack_id(DATA, finished.table)
    assert len(table) == len(TEXTS) + 2
    cache_decoder = RecordDecoder()
    for text in TEXTS:
        entry = table.find(object_id(text))
        assert entry is not None
        assert text in pack.read_record(entry.offset, cache_decoder)
    assert table.find(bytes(32)) is None
    pack.close()


def test_a_pack_has_another_name_for_another_class(tmp_path: Path) -> None:
    finished = write_pack(tmp_path, TEXTS[:1])
    assert pack_id(META, finished.table) != finished.id
    with pytest.raises(IntegrityError, match="name"):
        PackFile(finished.path).table(ObjectId(bytes(32)))


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 100, b"DVTPACK1\x01" + bytes(100)])
def test_what_is_no_pack_is_refused_and_closed_once(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pack"
    path.write_bytes(content)
    unraisable: list[object] = []
    hook, sys.unraisablehook = sys.unraisablehook, unraisable.append
    try:
        with pytest.raises(FormatError):
            PackFile(os.fsencode(path))
        with pytest.raises(FileNotFoundError):
            PackFile(os.fsencode(tmp_path / "absent"))
        gc.collect()
    finally:
        sys.unraisablehook = hook
    assert unraisable == []


@pytest.mark.parametrize("offset", [0, 15, 17, 2**31, 2**32 - 1])
def test_no_record_is_read_where_none_lies(tmp_path: Path, offset: int) -> None:
    pack = PackFile(write_pack(tmp_path, TEXTS[:3]).path)
    with pytest.raises(FormatError):
        pack.read_record(offset, RecordDecoder())
    pack.close()


def test_strangers_in_a_cache_are_passed_over(root: bytes) -> None:
    oids = store(root, TEXTS)
    for name in (
        b"data/README",
        b"data/zz/" + b"g" * 64,
        b"data/ab/" + b"\xff" * 64,
        b"meta/00/" + b"A" * 64,
        b"index/x",
    ):
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(os.fsdecode(path)).write_bytes(b"stranger")
    cache = new_cache(root)
    assert [cache.read_blob(oid) for oid in oids] == TEXTS
    assert cache.packs.damage == []


def only_pack(root: bytes) -> Path:
    (path,) = (path for path in Path(os.fsdecode(root), "data").rglob("*") if path.is_file())
    return path


@pytest.mark.parametrize("where", [0, 8, 20, 40, 100, -1, -9, -20, -30, -50])
def test_a_flipped_bit_in_a_pack_never_gives_wrong_bytes(root: bytes, where: int) -> None:
    oids = store(root, TEXTS)
    path = only_pack(root)
    data = bytearray(path.read_bytes())
    data[where] ^= 4
    path.chmod(0o644)
    path.write_bytes(data)
    cache = new_cache(root)
    failed = 0
    for oid, text in zip(oids, TEXTS):
        try:
            assert cache.read_blob(oid) == text
        except (IntegrityError, MissingData, FormatError):
            failed += 1
    assert failed > 0


def test_a_truncated_pack_counts_as_absent_and_is_named(root: bytes) -> None:
    oids = store(root, TEXTS)
    path = only_pack(root)
    path.chmod(0o644)
    os.truncate(path, 1_000)
    cache = new_cache(root)
    assert not cache.has_blob(oids[0])
    assert len(cache.packs.damage) == 1
    assert str(path) in cache.packs.damage[0]


def test_a_pack_under_the_name_of_another_class_is_not_believed(root: bytes, tmp_path: Path) -> None:
    """Else the recipe of a file would be taken for the file."""
    cache = new_cache(root)
    cache.create()
    finished: list[FinishedPack] = []
    writer = PackWriter(META, os.fsencode(tmp_path), finished.append, sync=False)
    key = object_id(b"a large file")
    writer.add_alone(key, RECIPE, b"not the bytes of that file")
    writer.finish()
    target = cache.packs.path(PackKey(DATA, finished[0].id))
    os.makedirs(os.path.dirname(target))
    os.rename(finished[0].path, target)
    with pytest.raises(MissingData):
        cache.read_blob(key)
    assert "another class" in cache.packs.damage[0]


def lie_in_index(root: bytes, kind: int) -> bytes:
    """Replaces the index by one that states another kind for every object; its checksums are right."""
    cache = new_cache(root)
    rows = []
    for key, size in cache.packs.keys().items():
        table = b"".join(
            pack_table_entry(entry.digest, entry.offset, entry.size, kind)
            for entry in Table(cache.packs.table(key)).entries()
        )
        rows.append((IndexedPack(key.id, bytes(4), key.pack_class, size), table))
    data = encode_index(rows)
    path = os.path.join(root, b"index", object_id(data).hex().encode())
    Path(os.fsdecode(path)).write_bytes(data)
    return data


def test_an_index_cannot_switch_the_check_of_a_digest_off(root: bytes) -> None:
    (oid,) = store(root, [b"content"])
    lie_in_index(root, RECIPE)
    path = only_pack(root)
    data = bytearray(path.read_bytes())
    at = data.index(b"content")
    data[at] ^= 1
    data[40:48] = struct.pack("<Q", xxh3_64_intdigest(bytes(data[16:40] + data[48 : at + 7])))
    path.chmod(0o644)
    path.write_bytes(data)
    with pytest.raises(IntegrityError):
        new_cache(root).read_blob(oid)


def test_a_damaged_index_is_thrown_away_when_tiers_are_merged(root: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(localpacks, "UNCOVERED_PACKS", 0)
    monkeypatch.setattr(localpacks, "TIER_FILES", 1)
    first = store(root, TEXTS[:100])
    lie_in_index(root, 0x7F)
    second = store(root, TEXTS[100:])
    cache = new_cache(root)
    assert [cache.read_blob(oid) for oid in first + second] == TEXTS
    assert cache.packs.damage == []
    assert len(os.listdir(os.path.join(root, b"index"))) == 1


def test_all_addresses_at_once_are_those_that_can_be_found(tmp_path: Path) -> None:
    cache = Cache(os.fsencode(tmp_path / "cache"))
    with CacheWriter(cache, what="test") as writer:
        oids = [writer.put_small(text) for text in TEXTS]
        tree = writer.put_tree(encode_leaf([]))
        writer.commit()
    cache.packs.rebuild_index()
    assert cache.packs.blobs() == set(oids)
    assert tree not in cache.packs.blobs()
    place = cache.packs.find(oids[0], DATA)
    assert place is not None
    os.unlink(cache.packs.path(place.pack))
    fresh = Cache(cache.root)
    assert not fresh.packs.blobs() & set(oids)
    cache.packs.mark_bad(place.pack, place.offset)
    assert cache.packs.blobs() == set()

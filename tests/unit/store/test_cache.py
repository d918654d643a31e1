"""Reading from the cache: verified, or an error that names the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.formats.pack import TREE
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.store.cache import LOOSE_FROM
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.store.cachewriter import CacheWriter
from tests.support.datasets import content
from tests.support.datasets import damage

LARGE = content("large", LOOSE_FROM)
SETTINGS = Settings(durable=False)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(os.fsencode(tmp_path / "cache"), SETTINGS)


def store(cache: Cache, *blobs: bytes) -> list[ObjectId]:
    with CacheWriter(cache, what="test") as writer:
        oids = [writer.put_small(data) for data in blobs]
        writer.commit()
    return oids


def only_pack(cache: Cache) -> Path:
    (path,) = Path(os.fsdecode(cache.root)).glob("data/*/*")
    return path


def test_looking_creates_nothing(cache: Cache, tmp_path: Path) -> None:
    oid = object_id(b"x")
    assert not (cache.has_blob(oid) or cache.has_loose(oid) or cache.has_meta(oid, TREE))
    with pytest.raises(MissingData, match=oid.hex()):
        cache.read_blob(oid)
    with pytest.raises(MissingData, match=oid.hex()):
        cache.read_meta(oid, TREE)
    assert cache.in_pack_order([oid]) == ([], [oid])
    assert list(tmp_path.iterdir()) == []


def test_what_others_add_is_seen_after_forgetting(cache: Cache) -> None:
    loose, packed = object_id(LARGE), object_id(b"small")
    assert not (cache.has_blob(loose) or cache.has_blob(packed))
    store(Cache(cache.root, SETTINGS), LARGE, b"small")
    assert not (cache.has_blob(loose) or cache.has_blob(packed))
    cache.forget()
    assert cache.has_blob(loose) and cache.has_blob(packed)


def test_a_damaged_loose_blob_is_named(cache: Cache) -> None:
    (oid,) = store(cache, LARGE)
    path = os.fsdecode(cache.loose_path(oid))
    damage(path, 1000)
    with pytest.raises(IntegrityError) as caught:
        cache.read_blob(oid)
    assert caught.value.path == path


def test_a_damaged_record_takes_only_what_it_held(cache: Cache) -> None:
    texts = [content(number, 40_000) for number in range(8)]
    oids = store(cache, *texts)
    damage(only_pack(cache), 30_000)
    seen = Cache(cache.root, SETTINGS)
    packed, other = seen.in_pack_order(oids)
    assert other == []
    found = dict(seen.read_packed(packed))
    lost = [oid for oid, data in found.items() if isinstance(data, IntegrityError)]
    assert set(found) == set(oids)
    assert lost == [oids[0]]
    assert all(object_id(data) == oid for oid, data in found.items() if isinstance(data, bytes))
    with pytest.raises((IntegrityError, MissingData)):
        Cache(cache.root, SETTINGS).read_blob(oids[0])


def test_a_second_copy_stands_in_for_a_damaged_one(cache: Cache, tmp_path: Path) -> None:
    (oid,) = store(cache, b"twice")
    other = Cache(os.fsencode(tmp_path / "other"), SETTINGS)
    store(other, b"another", b"twice")
    second = only_pack(other)
    target = Path(os.fsdecode(cache.root)) / second.relative_to(tmp_path / "other")
    damage(only_pack(cache), 60)
    target.parent.mkdir(parents=True, exist_ok=True)
    second.rename(target)
    seen = Cache(cache.root, SETTINGS)
    assert seen.read_blob(oid) == b"twice"
    packed, _ = Cache(cache.root, SETTINGS).in_pack_order([oid])
    assert list(Cache(cache.root, SETTINGS).read_packed(packed)) == [(oid, b"twice")]


def test_a_pack_that_vanishes_between_looking_and_reading(cache: Cache) -> None:
    (oid,) = store(cache, b"small")
    seen = Cache(cache.root, SETTINGS)
    packed, _ = seen.in_pack_order([oid])
    seen.packs.forget()
    only_pack(cache).unlink()
    ((found, error),) = seen.read_packed(packed)
    assert found == oid and isinstance(error, IntegrityError)
    with pytest.raises(MissingData):
        seen.read_blob(oid)


def test_records_are_read_in_order_and_once(cache: Cache) -> None:
    texts = [content(number, 100) for number in range(500)]
    oids = store(cache, *texts)
    packed, _ = cache.in_pack_order(reversed(oids))
    assert [place.offset for place, _ in packed] == sorted(place.offset for place, _ in packed)
    reads = []
    read_record = cache.packs.read_record

    def counted(key: object, offset: int) -> list[bytes]:
        reads.append(offset)
        return read_record(key, offset)  # type: ignore[arg-type]

    cache.packs.read_record = counted  # type: ignore[method-assign]
    assert dict(cache.read_packed(packed)) == dict(zip(oids, texts, strict=True))
    assert len(reads) == len(set(reads))
    del reads[:]
    for place, oid in packed[:5]:
        assert list(cache.read_packed([(place, oid)])) == [(oid, texts[oids.index(oid)])]
    assert len(reads) <= 1, "one by one, too"


@pytest.mark.parametrize("loose_all", [False, True])
def test_what_lies_in_both_places_is_linked_only_where_links_are_wanted(cache: Cache, *, loose_all: bool) -> None:
    (oid,) = store(cache, b"both")
    store(Cache(cache.root, Settings(durable=False)), b"x")
    path = Path(os.fsdecode(cache.loose_path(oid)))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"both")
    packed, other = Cache(cache.root, Settings(loose_all=loose_all)).in_pack_order([oid])
    assert (bool(packed), bool(other)) == (not loose_all, loose_all)


def test_links_that_stand_for_objects(cache: Cache, tmp_path: Path) -> None:
    (oid,) = store(cache, LARGE)
    path = cache.loose_path(oid)
    assert cache.linked_object(path) == (oid, len(LARGE))
    for foreign in (
        b"",
        b"x",
        os.path.basename(path),
        path + b"/",
        path[:-1],
        path[:-1] + b"g",
        path.upper(),
        os.fsencode(tmp_path / "elsewhere/objects" / path[-67:-65].decode() / path[-64:].decode()),
        cache.loose_path(object_id(b"absent")),
        os.path.join(os.path.dirname(os.path.dirname(path)), b"00", os.path.basename(path)),
    ):
        assert cache.linked_object(foreign) is None, foreign


def test_a_damaged_or_newer_store_file_is_refused_before_anything_is_read(cache: Cache) -> None:
    (oid,) = store(cache, b"small")
    path = Path(os.fsdecode(cache.root)) / "dvtool-store.json"
    path.chmod(0o600)
    path.write_bytes(b"{}")
    with pytest.raises(FormatError):
        Cache(cache.root, SETTINGS).read_blob(oid)

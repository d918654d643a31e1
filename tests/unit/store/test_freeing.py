"""Freeing blobs: exactly those go, whatever else lies beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dvtool.disk.lock import LockHandle
from dvtool.errors import StorageError
from dvtool.model.digest import ObjectId
from dvtool.store import freeing
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.freeing import free_blobs
from dvtool.store.packwriter import FinishedPack
from tests.support.datasets import content
from tests.support.datasets import damage


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(os.fsencode(tmp_path / "cache"), Settings(durable=False))


def store(cache: Cache, *blobs: bytes) -> list[ObjectId]:
    with CacheWriter(cache, what="test") as writer:
        found = []
        for data in blobs:
            if writer.is_small(len(data)):
                found.append(writer.put_small(data))
                continue
            with writer.loose_temporary() as temporary:
                temporary.write(data)
                found.append(temporary.digest())
                temporary.publish(found[-1])
        writer.commit()
    return found


@contextmanager
def alone(cache: Cache) -> Iterator[LockHandle]:
    with cache.lock.acquire(shared=False) as lock:
        yield lock


def files(cache: Cache) -> dict[str, int]:
    top = Path(os.fsdecode(cache.root))
    return {
        str(path.relative_to(top)): path.stat().st_size
        for folder in ("data", "objects", "tmp")
        for path in (top / folder).rglob("*")
        if path.is_file()
    }


def test_only_those_go(cache: Cache) -> None:
    small = [content(number, 1_000) for number in range(100)]
    loose = [content(f"loose {number}", 200_000) for number in range(4)]
    oids = store(cache, *small, *loose)
    before = sum(files(cache).values())
    going = [*oids[:60], *oids[100:103]]
    with alone(cache) as lock:
        freed = free_blobs(cache, lambda: going, lock)
    assert (freed.objects, freed.left) == (63, 0)
    assert freed.bytes == before - sum(files(cache).values())
    assert [oid for oid in oids if cache.has_blob(oid)] == [oid for oid in oids if oid not in going]
    assert [cache.read_blob(oid) for oid in oids[60:100]] == small[60:]
    assert not [name for name in files(cache) if name.startswith("tmp/")]


def test_a_whole_pack_goes_at_once(cache: Cache) -> None:
    first = store(cache, *(content(number, 1_000) for number in range(10)))
    second = store(cache, *(content(-number - 1, 1_000) for number in range(10)))
    with alone(cache) as lock:
        assert free_blobs(cache, lambda: first, lock).objects == 10
    assert len(files(cache)) == 1
    assert all(map(cache.has_blob, second))


def test_again_frees_nothing(cache: Cache) -> None:
    oids = store(cache, b"a", b"b")
    for expected in (1, 0):
        with alone(cache) as lock:
            assert free_blobs(cache, lambda: oids[:1], lock).objects == expected


def test_a_large_pack_that_is_mostly_needed_stays(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeing, "SMALL_BYTES", 0)
    oids = store(cache, *(content(number, 1_000) for number in range(100)))
    before = files(cache)
    with alone(cache) as lock:
        assert free_blobs(cache, lambda: oids[:10], lock) == (0, 0, 10)
    assert files(cache) == before


def test_a_damaged_pack_stays(cache: Cache) -> None:
    oids = store(cache, *(content(number, 1_000) for number in range(10)))
    [name] = files(cache)
    damage(os.path.join(os.fsdecode(cache.root), name), 5_000)
    before = files(cache)
    with alone(cache) as lock:
        assert free_blobs(cache, lambda: oids[:5], lock).left == 5
    assert files(cache) == before


def test_a_file_that_is_linked_elsewhere_frees_no_space(cache: Cache, tmp_path: Path) -> None:
    [oid] = store(cache, content("loose", 200_000))
    os.link(cache.loose_path(oid), tmp_path / "linked")
    with alone(cache) as lock:
        assert free_blobs(cache, lambda: [oid], lock) == (1, 0, 0)


def test_a_full_disk_leaves_what_cannot_be_written_anew(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    oids = store(cache, *(content(number, 1_000) for number in range(10)), content("loose", 200_000))

    def full(*_: object) -> FinishedPack:
        raise OSError(28, "No space left on device", b"tmp")

    monkeypatch.setattr(freeing, "rewrite", full)
    with alone(cache) as lock, pytest.raises(StorageError):
        free_blobs(cache, lambda: [oids[0], oids[-1]], lock)
    cache.forget()
    assert not cache.has_blob(oids[-1])
    assert all(map(cache.has_blob, oids[:10]))

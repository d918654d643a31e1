from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dvtool.formats.dvcplaces import object_key
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.ports import SILENT
from dvtool.remote.address import Address
from dvtool.remote.table import open_remote
from dvtool.state.aliases import Aliases
from dvtool.store.cache import Cache
from dvtool.transfer.adopt import LocalStore
from dvtool.transfer.adopt import Need
from dvtool.transfer.adopt import bring
from dvtool.transfer.adopt import bring_local
from dvtool.transfer.adopt import bring_manifests
from dvtool.transfer.fetch import EVERYTHING
from dvtool.transfer.types import FetchResult
from dvtool.transfer.types import Only

HUGE = os.urandom(1 << 20) * 17


class Store:
    """Another tool's store, which serves as its cache and as its remote."""

    def __init__(self, tmp_path: Path) -> None:
        self.root = tmp_path / "store"
        self.root.mkdir()
        self.remote = open_remote(Address("store", os.fspath(self.root), {}, os.fsencode(tmp_path), {}))
        self.cache = Cache(os.fsencode(tmp_path / "cache"))
        self.aliases = Aliases(os.fsencode(tmp_path / "aliases.sqlite"))

    def put(self, data: bytes, *, manifest: bool = False) -> ObjectId:
        stated = ObjectId(b"\2" + hashlib.md5(data, usedforsecurity=False).digest())
        self.path(stated, manifest=manifest).parent.mkdir(parents=True, exist_ok=True)
        self.path(stated, manifest=manifest).write_bytes(data)
        return stated

    def path(self, stated: ObjectId, *, manifest: bool = False) -> Path:
        return self.root / object_key(stated, is_manifest=manifest)

    def bring(self, *stated: ObjectId, only: Only = EVERYTHING, dry_run: bool = False) -> FetchResult:
        needs = [Need(each, b"p%d" % number) for number, each in enumerate(stated)]
        result = bring(
            self.cache, self.aliases, needs, self.remote, jobs=2, reporter=SILENT, only=only, dry_run=dry_run
        )
        self.cache.forget()
        return result

    def stored(self, stated: ObjectId) -> bytes:
        return self.cache.read_blob(self.aliases.files([stated])[stated].oid)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.aliases.close()
    made.remote.close()


@pytest.mark.parametrize("data", [b"", b"x", b"y" * 200_000, HUGE], ids=["empty", "small", "loose", "pieces"])
def test_bytes_are_stored_under_blake3_and_both_names_remembered(store: Store, data: bytes) -> None:
    stated = store.put(data)
    result = store.bring(stated, stated)
    assert (result.objects, result.bytes_received) == (1, len(data))
    assert store.aliases.files([stated])[stated].oid == object_id(data)
    assert store.stored(stated) == data


@pytest.mark.parametrize("data", [b"small", HUGE], ids=["small", "pieces"])
def test_wrong_bytes_get_no_name(store: Store, data: bytes) -> None:
    stated, good = store.put(data), store.put(b"good")
    store.path(stated).write_bytes(data[:-1] + b"?")
    result = store.bring(stated, good)
    assert [(each.path, each.key) for each in result.damaged] == [(b"p0", object_key(stated))]
    assert store.aliases.files([stated]) == {}
    assert store.stored(good) == b"good"
    assert not [name for name in os.listdir(store.cache.tmp) if name]


def test_what_is_not_there_is_listed_for_every_path(store: Store) -> None:
    stated = store.put(b"gone")
    store.path(stated).unlink()
    result = store.bring(stated, stated)
    assert [each.path for each in result.missing] == [b"p0", b"p1"]


def test_a_dry_run_and_what_is_left_out(store: Store) -> None:
    small, large = store.put(b"small"), store.put(b"large" * 100)
    assert store.bring(small, large, dry_run=True).plain_bytes == 505
    assert store.aliases.files([small]) == {}
    result = store.bring(small, large, only=Only(max_size=10))
    assert (result.objects, result.left_out, result.left_out_bytes) == (1, 1, 500)


def test_of_many_the_folders_are_listed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    stated = [store.put(b"%d" % number) for number in range(1_200)]
    absent = store.put(b"absent")
    store.path(absent).unlink()
    monkeypatch.setattr(type(store.remote), "stat", lambda *_: pytest.fail("asked one by one"))
    result = store.bring(*stated, absent)
    assert (result.objects, len(result.missing)) == (1_200, 1)
    assert all(store.stored(each) == b"%d" % number for number, each in enumerate(stated))


def test_manifests_are_verified(store: Store) -> None:
    right, wrong = store.put(b"[]", manifest=True), store.put(b"[ ]", manifest=True)
    absent = store.put(b"[  ]", manifest=True)
    store.path(wrong, manifest=True).write_bytes(b"[x]")
    store.path(absent, manifest=True).unlink()
    needs = [Need(right, b"r"), Need(wrong, b"w"), Need(absent, b"a")]
    missing, damaged, received = bring_manifests(store.aliases, needs, store.remote, 1)
    assert [each.path for each in missing] == [b"a"]
    assert [each.path for each in damaged] == [b"w"]
    assert received == 5
    assert store.aliases.manifest(right) == b"[]"
    assert store.aliases.manifest(wrong) is None


@pytest.mark.parametrize("data", [b"x", b"y" * 200_000], ids=["small", "loose"])
def test_a_cache_on_this_disk_is_copied_from_and_verified(store: Store, data: bytes) -> None:
    stated, wrong, absent = store.put(data), store.put(data + b"?"), ObjectId(b"\2" + bytes(16))
    store.path(wrong).write_bytes(data + b"!")
    stores = [LocalStore(os.fsencode(store.root))]
    needs = [Need(stated, b"a"), Need(wrong, b"b"), Need(absent, b"c")]
    left, damaged = bring_local(store.cache, store.aliases, needs, stores, SILENT)
    assert [need.path for need in left] == [b"b", b"c"]
    assert [error.path for error in damaged] == [os.fspath(store.path(wrong))]
    store.cache.forget()
    assert store.stored(stated) == data
    again, _ = bring_local(store.cache, store.aliases, needs[:1], stores, SILENT)
    assert again == []


def test_a_link_in_the_place_of_a_file_is_not_followed(store: Store, tmp_path: Path) -> None:
    stated = store.put(b"secret")
    secret = tmp_path / "secret"
    store.path(stated).rename(secret)
    store.path(stated).symlink_to(secret)
    stores = [LocalStore(os.fsencode(store.root))]
    left, _ = bring_local(store.cache, store.aliases, [Need(stated, b"a")], stores, SILENT)
    assert len(left) == 1
    assert store.aliases.files([stated]) == {}

"""Collection in a cache: the plan, the run, the trash."""

from __future__ import annotations

import os
import random
from array import array
from collections.abc import Iterable
from pathlib import Path

import pytest

from dvtool.disk.lock import LockHandle
from dvtool.errors import IntegrityError
from dvtool.errors import UsageError
from dvtool.formats.pack import ALIAS
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.recipe import FIXED
from dvtool.formats.recipe import PIECE
from dvtool.formats.recipe import Piece
from dvtool.formats.recipe import Recipe
from dvtool.formats.recipe import encode_recipe
from dvtool.formats.records import Root
from dvtool.formats.tree import encode_leaf
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.collect import CollectionPlan
from dvtool.store.collect import LooseFiles
from dvtool.store.collect import PackView
from dvtool.store.collect import Rewriting
from dvtool.store.collect import Survey
from dvtool.store.collect import dead_objects
from dvtool.store.collect import execute_collection
from dvtool.store.collect import fitting
from dvtool.store.collect import plan_collection
from dvtool.store.collect import survey
from dvtool.store.collect import with_sizes
from dvtool.store.live import mark_live
from dvtool.store.localpacks import PackKey
from dvtool.store.rewriting import rewrite
from dvtool.store.rewriting import rewritten_size
from dvtool.store.trash import PutBack
from dvtool.store.trash import expire
from dvtool.store.trash import list_runs
from dvtool.store.trash import new_run
from dvtool.store.trash import put_back
from dvtool.store.unnamed import Marks

NOW = 2_000_000_000.0
EVER = float("inf")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(os.fsencode(tmp_path / "cache"))


def put(cache: Cache, *contents: bytes) -> list[ObjectId]:
    """One pack of small objects."""
    with CacheWriter(cache, what="test") as writer:
        oids = [writer.put_small(content) for content in contents]
        writer.commit()
    return oids


def contents(count: int, size: int = 3_000, seed: int = 1) -> list[bytes]:
    source = random.Random(seed)
    return [source.randbytes(size - 100) + b"x" * 100 for _ in range(count)]


def planned(cache: Cache, live: Iterable[bytes], oldest: float = EVER) -> CollectionPlan:
    is_live = set(live).__contains__
    return with_sizes(cache, plan_collection(survey(cache, is_live, oldest)), is_live)


def alone(cache: Cache) -> LockHandle:
    return cache.lock.acquire(shared=False, timeout=0.0)


def collect(cache: Cache, live: Iterable[bytes], *, trash: bool = True) -> tuple[CollectionPlan, str]:
    kept = set(live)
    plan = planned(cache, kept)
    with alone(cache) as lock:
        run = new_run(cache, now=NOW, why="gc", objects=plan.objects, size=plan.bytes_freed) if trash else None
        execute_collection(cache, plan, kept.__contains__, lock, run)
    return plan, run[0].id if run is not None else ""


def disk_bytes(cache: Cache) -> int:
    """What packs and loose objects take."""
    total = 0
    for name in (b"data", b"meta", b"objects"):
        for folder, _, files in os.walk(os.path.join(cache.root, name)):
            total += sum(os.lstat(os.path.join(folder, file)).st_size for file in files)
    return total


def files_of(cache: Cache) -> dict[bytes, tuple[bytes, int]]:
    found = {}
    for name in (b"data", b"meta", b"objects"):
        for folder, _, files in os.walk(os.path.join(cache.root, name)):
            for file in files:
                path = os.path.join(folder, file)
                with open(path, "rb") as stream:
                    found[os.path.relpath(path, cache.root)] = stream.read(), os.stat(path).st_mtime_ns
    return found


def pack(number: int, size: int, objects: int, dead: int, *, dead_bytes: int | None = None) -> PackView:
    return PackView(PackKey(DATA, bytes([number]) * 32), size, 0.0, objects, dead, size, dead_bytes or dead)


def test_the_plan_is_made_of_values_alone() -> None:
    whole = pack(1, 1000, 10, 10)
    much = pack(2, 1000, 10, 3, dead_bytes=251)
    little = pack(3, 1000, 10, 3, dead_bytes=250)
    loose = LooseFiles(bytes(64), array("Q", [5, 7]), 7)
    plan = plan_collection(Survey((whole, much, little), loose, 4, 40))
    assert plan.whole == (whole,)
    assert plan.rewritten == (Rewriting(much, 1000),)
    assert (plan.left_objects, plan.left_bytes, plan.young_objects, plan.young_bytes) == (3, 250, 4, 40)
    assert plan.objects == 10 + 3 + 2
    assert plan.bytes_freed == 1000 + 0 + 5, "a file that is linked elsewhere frees nothing"
    assert plan == plan_collection(Survey((whole, much, little), loose, 4, 40))


def test_without_room_only_whole_files_go() -> None:
    whole, half = pack(1, 90 << 20, 10, 10), Rewriting(pack(2, 80 << 20, 10, 5), 40 << 20)
    plan = CollectionPlan((whole,), (half,), LooseFiles())
    assert fitting(plan, None, to_trash=True) == plan
    assert fitting(plan, 42 << 20, to_trash=True) == plan
    assert fitting(plan, 10 << 20, to_trash=False) == plan, "what goes before makes room"
    full = fitting(plan, 10 << 20, to_trash=True)
    assert (full.whole, full.rewritten, full.lacks_room) == ((whole,), (), True)
    assert (full.left_objects, full.left_bytes, full.bytes_freed) == (5, 5, 90 << 20)
    assert fitting(CollectionPlan((whole,), (), LooseFiles()), 0, to_trash=True).lacks_room is False


def test_a_run_frees_exactly_what_the_plan_says(cache: Cache) -> None:
    many = contents(300)
    oids = put(cache, *many)
    put(cache, *contents(20, seed=2))
    [large] = put(cache, random.Random(3).randbytes(200_000))
    for keep in (oids[::2], oids[:80:2], oids[:6:2]):
        before = disk_bytes(cache)
        plan, _ = collect(cache, keep, trash=False)
        assert plan.bytes_freed > 0
        assert before - disk_bytes(cache) == plan.bytes_freed
        assert [cache.read_blob(oid) for oid in keep] == [many[oids.index(oid)] for oid in keep]
        assert planned(cache, keep).is_empty
    assert not cache.has_blob(large)
    assert len(cache.packs.keys()) == 1


def test_the_plan_names_every_copy_that_goes(cache: Cache) -> None:
    first = put(cache, *contents(10))
    second = put(cache, *contents(10, seed=2))
    [loose] = put(cache, bytes(150_000))
    live = {*first[:4]}
    plan = planned(cache, live)
    found = list(dead_objects(cache, plan, live.__contains__))
    assert {each.oid for each in found} == {*first[4:], *second, loose}
    assert len(found) == plan.objects


def test_young_files_stay(cache: Cache) -> None:
    first, second = put(cache, *contents(5)), put(cache, bytes(150_000))
    key = next(iter(cache.packs.keys()))
    os.utime(cache.packs.path(key), (1_000, 1_000))
    os.utime(cache.loose_path(second[0]), (5_000, 5_000))
    plan = planned(cache, [], oldest=4_000.0)
    assert [view.key for view in plan.whole] == [key]
    assert (len(plan.loose.sizes), plan.young_objects, plan.young_bytes) == (0, 1, 150_000)
    os.utime(cache.packs.path(key), (9_000, 9_000))
    os.utime(cache.loose_path(second[0]), (1_000, 1_000))
    plan = planned(cache, first[:3], oldest=4_000.0)
    assert (plan.whole, plan.rewritten, list(plan.loose.oids())) == ((), (), second)
    assert (plan.young_objects, plan.young_bytes) == (2, 6_000)


def test_a_pack_made_anew_is_as_old_as_before(cache: Cache) -> None:
    oids = put(cache, *contents(10))
    [old] = cache.packs.keys()
    os.utime(cache.packs.path(old), (1_000, 1_000))
    collect(cache, oids[:5])
    [new] = cache.packs.keys()
    assert new != old
    assert os.stat(cache.packs.path(new)).st_mtime == 1_000


def test_records_that_are_wholly_kept_are_not_compressed_again(cache: Cache) -> None:
    oids = put(cache, *(b"%d " % number * 900 for number in range(400)))
    [key] = cache.packs.keys()
    kept = set(oids[:200])
    new = rewrite(cache, key, lambda digest, _: digest in kept)
    assert new.size == rewritten_size(cache, key, lambda digest, _: digest in kept) == os.lstat(new.path).st_size
    with open(cache.packs.path(key), "rb") as old, open(new.path, "rb") as file:
        assert old.read(1000) == file.read(1000)


def test_recipes_and_aliases(cache: Cache) -> None:
    blobs = [object_id(b"large %d" % number) for number in range(3)]
    pieces = contents(6)
    with CacheWriter(cache, what="test") as writer:
        parts = [writer.put_small(piece) for piece in pieces]
        for number, blob in enumerate(blobs):
            own = tuple(Piece(oid, 3_000, PIECE) for oid in parts[2 * number : 2 * number + 2])
            writer.put_keyed(blob, RECIPE, encode_recipe(Recipe(blob, 6_000, FIXED, own)))
        writer.put_keyed(object_id(b"md5:x"), ALIAS, b"whatever")
        writer.commit()
    live = Marks()
    assert mark_live(cache, [Root(False, blobs[0])], live) == []
    plan = with_sizes(cache, plan_collection(survey(cache, live.__contains__, EVER)), live.__contains__)
    dead = {(each.oid, each.kind) for each in dead_objects(cache, plan, live.__contains__)}
    assert {oid for oid, kind in dead if kind == RECIPE} == set(blobs[1:])
    assert {oid for oid, _ in dead} == {*blobs[1:], *parts[2:]}, "of the blob that is kept all pieces are"
    with alone(cache) as lock:
        execute_collection(cache, plan, live.__contains__, lock, None)
    assert cache.has_meta(object_id(b"md5:x"), ALIAS)
    assert cache.has_meta(blobs[0], RECIPE)
    assert not cache.has_meta(blobs[1], RECIPE)


def test_pieces_of_a_blob_that_is_here_can_go(cache: Cache) -> None:
    data = random.Random(4).randbytes(200_000)
    with CacheWriter(cache, what="test") as writer:
        blob = writer.put_small(data)
        parts = [writer.put_small(data[:100_000]), writer.put_small(data[100_000:])]
        own = tuple(Piece(oid, 100_000, PIECE) for oid in parts)
        writer.put_keyed(blob, RECIPE, encode_recipe(Recipe(blob, 200_000, FIXED, own)))
        writer.commit()
    live = Marks()
    mark_live(cache, [Root(False, blob)], live)
    assert blob in live
    assert not any(part in live for part in parts)


def test_marking_reaches_all_and_tells_what_is_absent(cache: Cache) -> None:
    with CacheWriter(cache, what="test") as writer:
        inner = encode_leaf([file_entry(b"a", writer.put_small(b"1"), 1, executable=False)])
        gone = encode_leaf([file_entry(b"a", writer.put_small(b"2"), 1, executable=False)])
        top = writer.put_tree(
            encode_leaf(
                [
                    directory_entry(b"gone", TreeRef(object_id(gone), 1, 1)),
                    directory_entry(b"in", TreeRef(writer.put_tree(inner), 1, 1)),
                ]
            )
        )
        writer.commit()
    live = Marks()
    root = Root(True, top)
    assert [tuple(each) for each in mark_live(cache, [root], live)] == [(root, object_id(gone))]
    assert all(object_id(data) in live for data in (inner, b"1"))
    assert object_id(b"2") not in live


def test_a_damaged_page_stops(cache: Cache) -> None:
    with CacheWriter(cache, what="test") as writer:
        top = writer.put_tree(encode_leaf([file_entry(b"a", writer.put_small(b"1"), 1, executable=False)]))
        writer.commit()
    [key] = [each for each in sorted(cache.packs.keys()) if each.pack_class == META]
    flip(cache.packs.path(key), 60)
    with pytest.raises(IntegrityError):
        mark_live(Cache(cache.root), [Root(True, top)], Marks())


def test_a_damaged_pack_is_not_made_anew(cache: Cache) -> None:
    oids = put(cache, *contents(10))
    [key] = cache.packs.keys()
    flip(cache.packs.path(key), 200)
    with pytest.raises(IntegrityError):
        planned(Cache(cache.root), oids[:5])
    plan, _ = collect(Cache(cache.root), [])
    assert plan.objects == 10, "nobody needs a byte of it"


def flip(path: bytes, at: int) -> None:
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def test_the_trash_gives_back_every_byte(cache: Cache) -> None:
    oids = put(cache, *contents(100))
    put(cache, *contents(10, seed=2))
    put(cache, bytes(150_000))
    before = files_of(cache)
    plan, run_id = collect(cache, oids[:50])
    [run] = list_runs(cache)
    assert (run.run.id, run.run.objects, run.run.bytes, run.run.when) == (run_id, plan.objects, plan.bytes_freed, NOW)
    assert run.stored == sum(view.size for view in plan.whole) + plan.rewritten[0].pack.size + 150_000
    back = put_back(cache, run_id)
    assert back == PutBack(3, run.stored, 0)
    after = files_of(cache)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1, "the pack that was made anew stays beside"
    assert list_runs(cache) == []
    assert [cache.read_blob(oid) for oid in oids] == contents(100)
    with pytest.raises(UsageError):
        put_back(cache, run_id)
    with pytest.raises(UsageError):
        put_back(cache, "../../x")


def test_what_came_back_meanwhile_stays(cache: Cache) -> None:
    [oid] = put(cache, bytes(150_000))
    _, run_id = collect(cache, [])
    put(cache, bytes(150_000))
    was = os.stat(cache.loose_path(oid)).st_ino
    assert put_back(cache, run_id) == PutBack(0, 0, 1)
    assert os.stat(cache.loose_path(oid)).st_ino == was


def test_the_trash_expires(cache: Cache) -> None:
    put(cache, *contents(5))
    _, first = collect(cache, [])
    with alone(cache) as lock:
        assert expire(cache, NOW + 99, 100, lock) == 0
        assert [each.run.id for each in list_runs(cache)] == [first]
        freed = expire(cache, NOW + 100, 100, lock)
    assert freed > 15_000
    assert list_runs(cache) == []
    assert os.listdir(os.path.join(cache.root, b"trash")) == []


def test_a_run_that_cannot_be_read_stays(cache: Cache) -> None:
    put(cache, *contents(5))
    _, run_id = collect(cache, [])
    path = os.path.join(cache.root, b"trash", os.fsencode(run_id), b"run.json")
    with open(path, "r+b") as file:
        file.write(b"0" * 16)
    with alone(cache) as lock:
        assert expire(cache, NOW * 2, 0, lock) == 0
    with pytest.raises(IntegrityError):
        list_runs(cache)
    assert put_back(cache, run_id).files == 1


def test_what_a_killed_run_left_is_a_run_all_the_same(cache: Cache) -> None:
    cache.create()
    with alone(cache) as lock:
        cache.make_folder(os.path.join(cache.root, b"trash", b"20260101T000000Z-00000000", b"data"))
        assert list_runs(cache) == []
        assert expire(cache, NOW, 10, lock) == 0
    assert os.listdir(os.path.join(cache.root, b"trash")) == []

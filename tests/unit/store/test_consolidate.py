"""Merging the small packs of a cache: nothing is lost, whatever lies there and whoever reads meanwhile."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest

from dvtool.disk.lock import Waiting
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import Locked
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TREE
from dvtool.formats.recipe import FIXED
from dvtool.formats.recipe import Piece
from dvtool.formats.recipe import Recipe
from dvtool.formats.recipe import encode_recipe
from dvtool.formats.tree import encode_leaf
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.store import cachewriter
from dvtool.store import consolidate
from dvtool.store import packwriter
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.consolidate import SMALL_PACKS
from dvtool.store.consolidate import consolidate_if_due
from dvtool.store.localpacks import PackKey

ENOUGH = SMALL_PACKS + 1


@pytest.fixture
def root(tmp_path: Path) -> bytes:
    return os.fsencode(tmp_path / "cache")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three small packs are too many."""
    monkeypatch.setattr(consolidate, "SMALL_PACKS", 2)


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands do not merge, only the test does."""
    monkeypatch.setattr(cachewriter, "consolidate_if_due", lambda cache: 0)


def new_cache(root: bytes) -> Cache:
    return Cache(root, Settings(durable=False))


def text(number: int) -> bytes:
    return b"object %d " % number * (number % 50 + 1)


def page(number: int) -> bytes:
    target = text(number)
    return encode_leaf([Entry(b"%d" % number, LINK, False, 0, b"", len(target), target=target)])


def recipe(number: int) -> tuple[ObjectId, bytes]:
    blob = object_id(b"large blob %d" % number)
    return blob, encode_recipe(Recipe(blob, 5 << 20, FIXED, (Piece(object_id(text(number)), 5 << 20, 1),)))


def add(root: bytes, *numbers: int) -> None:
    """What a command does: a data pack and a meta pack."""
    with CacheWriter(new_cache(root), what="test") as writer:
        for number in numbers:
            writer.put_small(text(number))
            writer.put_tree(page(number))
            writer.put_keyed(recipe(number)[0], RECIPE, recipe(number)[1])
        writer.commit()


def expect_all(cache: Cache, numbers: range) -> None:
    for number in numbers:
        assert cache.read_blob(object_id(text(number))) == text(number)
        assert cache.read_meta(object_id(page(number)), TREE) == page(number)
        assert cache.read_meta(recipe(number)[0], RECIPE) == recipe(number)[1]


def keys(root: bytes) -> set[PackKey]:
    return set(new_cache(root).packs.keys())


def in_class(root: bytes, pack_class: int) -> int:
    return Counter(key.pack_class for key in keys(root))[pack_class]


def test_many_small_adds_leave_few_packs(root: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    rewritten: list[int] = []
    most = 0

    def counted(cache: Cache) -> int:
        nonlocal most
        most = max(most, len(cache.packs.keys()))
        rewritten.append(consolidate_if_due(cache))
        return rewritten[-1]

    monkeypatch.setattr(cachewriter, "consolidate_if_due", counted)
    for number in range(200):
        add(root, number)
    cache = new_cache(root)
    assert len(cache.packs.keys()) < 70
    assert most <= 2 * ENOUGH
    assert sum(size > 0 for size in rewritten) < 20
    assert sum(rewritten) < 8 * sum(cache.packs.keys().values())
    expect_all(cache, range(200))
    assert cache.packs.damage == []
    assert os.listdir(cache.tmp) == []


def test_no_index_is_left_that_covers_nothing(root: bytes) -> None:
    for number in range(ENOUGH):
        add(root, number)
    assert len(keys(root)) == 2
    assert os.listdir(os.path.join(root, b"index")) == []


def test_an_index_that_names_packs_that_are_gone_does_no_harm(
    root: bytes, few: None, by_hand: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(root, *range(300))
    for number in range(300, 303):
        add(root, number)
    cache = new_cache(root)
    cache.packs.rebuild_index()
    monkeypatch.setattr(consolidate, "SMALL_OBJECTS", 300)
    assert consolidate_if_due(cache) > 0
    assert len(os.listdir(os.path.join(root, b"index"))) == 1
    expect_all(cache, range(303))
    expect_all(new_cache(root), range(303))


def test_below_the_threshold_nothing_is_touched(root: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(SMALL_PACKS):
        add(root, number)
    before = keys(root)
    cache = new_cache(root)
    monkeypatch.setattr(cache, "lock", None)
    assert consolidate_if_due(cache) == 0
    assert keys(root) == before


@pytest.mark.parametrize("shared", [True, False])
def test_nothing_is_merged_while_somebody_holds_the_lock(root: bytes, few: None, *, shared: bool) -> None:
    for number in range(2):
        add(root, number)
    with CacheWriter(new_cache(root), what="test") as writer:
        writer.put_small(text(2))
        writer.commit()
        with new_cache(root).lock.acquire(shared=True):
            pass
        before = keys(root)
        assert len(before) == 5
        assert consolidate_if_due(new_cache(root)) == 0
        assert keys(root) == before
    with new_cache(root).lock.acquire(shared=shared):
        assert consolidate_if_due(new_cache(root)) == 0


def test_a_reader_with_an_old_listing_looks_again(root: bytes, few: None, by_hand: None) -> None:
    for number in range(10):
        add(root, number)
    single, in_order, trees = new_cache(root), new_cache(root), new_cache(root)
    assert single.has_blob(object_id(text(0)))
    packed, other = in_order.in_pack_order([object_id(text(number)) for number in range(10)])
    pages = {object_id(page(number)): page(number) for number in range(10)}
    places = [(trees.packs.find(oid, META), oid) for oid in pages]
    for cache in (single, in_order, trees):
        cache.packs._open.clear()
    before = keys(root)
    assert consolidate_if_due(new_cache(root)) > 0
    assert not before & keys(root)
    expect_all(single, range(10))
    assert other == []
    assert dict(in_order.read_packed(packed)) == {object_id(text(number)): text(number) for number in range(10)}
    found = sorted((place, oid) for place, oid in places if place is not None)
    assert dict(trees.read_packed(found)) == pages


def test_packs_that_are_gone_for_good_are_an_error_for_each_object(root: bytes) -> None:
    add(root, 0, 1)
    cache = new_cache(root)
    packed, _ = cache.in_pack_order([object_id(text(0)), object_id(text(1))])
    cache.packs._open.clear()
    shutil.rmtree(os.path.join(root, b"data"))
    errors = dict(cache.read_packed(packed))
    assert errors.keys() == {object_id(text(0)), object_id(text(1))}
    assert all(isinstance(error, IntegrityError) for error in errors.values())


def test_readers_find_everything_while_packs_are_merged(root: bytes, few: None) -> None:
    add(root, 0)
    added = 0
    is_over = threading.Event()

    def keep_adding() -> None:
        nonlocal added
        try:
            for number in range(1, 40):
                add(root, number)
                added = number
        finally:
            is_over.set()

    thread = threading.Thread(target=keep_adding)
    thread.start()
    try:
        kept = new_cache(root)
        while not is_over.is_set():
            there = range(added + 1)
            fresh = new_cache(root)
            expect_all(fresh, there)
            expect_all(kept, range(1))
    finally:
        thread.join()
    assert added == 39
    expect_all(new_cache(root), range(40))


def test_what_a_listing_missed_is_found_by_one_under_the_lock(root: bytes, few: None, by_hand: None) -> None:
    """The new pack lies in a folder that was already passed, the old ones in folders that come later."""
    for number in range(3):
        add(root, number)
    cache = new_cache(root)
    listing = cache.packs._list_packs
    held: list[int] = []

    def missed_everything() -> object:
        held.append(cache.lock.held)
        if held[-1]:
            return listing()
        assert consolidate_if_due(new_cache(root)) > 0
        return iter(())

    cache.packs._list_packs = missed_everything  # type: ignore[method-assign, assignment]
    expect_all(cache, range(3))
    assert held == [0, 1, 1]
    assert not cache.has_blob(object_id(b"nowhere"))
    assert held == [0, 1, 1]
    assert cache.lock.held == 0


def test_a_reader_that_holds_the_lock_lists_under_it_at_once(root: bytes) -> None:
    add(root, 0)
    cache = new_cache(root)
    with cache.lock.acquire(shared=True):
        assert not cache.has_blob(object_id(b"nowhere"))
        assert cache.lock.held == 1
    with cache.lock.acquire(shared=False):
        cache.forget()
        assert not cache.has_blob(object_id(b"nowhere"))


def test_where_nobody_ever_wrote_nothing_is_made_to_prove_an_absence(root: bytes) -> None:
    assert not new_cache(root).has_blob(object_id(b"nowhere"))
    assert not os.path.lexists(root)


def test_a_reader_waits_for_a_merge_before_it_calls_an_object_absent(root: bytes) -> None:
    add(root, 0)
    heard: list[str] = []
    with new_cache(root).lock.acquire(shared=False, what="merging small packs") as merging:

        def on_wait(line: str) -> None:
            heard.append(line)
            merging.release()

        waiting = Cache(root, waiting=Waiting(on_wait=on_wait))
        assert waiting.has_blob(object_id(text(0)))
        assert heard == []
        assert not waiting.has_blob(object_id(b"nowhere"))
    assert len(heard) == 1
    assert "merging small packs" in heard[0]
    with (
        new_cache(root).lock.acquire(shared=False),
        pytest.raises(Locked, match="in use by pid"),
    ):
        Cache(root, waiting=Waiting(timeout=0)).has_blob(object_id(b"nowhere"))


def test_a_pack_that_the_server_deleted_while_it_was_open_is_looked_for_again(
    root: bytes, few: None, by_hand: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        add(root, number)
    cache = new_cache(root)
    expect_all(cache, range(3))
    gone = {cache.packs.open(key)._fd for key in keys(root)}
    assert consolidate_if_due(new_cache(root)) > 0
    real = os.pread

    def pread(fd: int, *args: int) -> bytes:
        if fd in gone:
            gone.discard(fd)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(fd, *args)

    monkeypatch.setattr(os, "pread", pread)
    expect_all(cache, range(3))


def flip(path: bytes, where: int) -> None:
    file = Path(os.fsdecode(path))
    data = bytearray(file.read_bytes())
    data[where] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)


@pytest.mark.parametrize("where", [30, 50, -50])
def test_a_damaged_pack_is_left_alone(root: bytes, few: None, by_hand: None, where: int) -> None:
    for number in range(5):
        add(root, number)
    cache = new_cache(root)
    cache.packs.rebuild_index()
    place = cache.packs.find(object_id(text(2)), DATA)
    assert place is not None
    path = cache.packs.path(place.pack)
    flip(path, where)
    before = Path(os.fsdecode(path)).read_bytes()
    assert consolidate_if_due(cache) > 0
    assert Path(os.fsdecode(path)).read_bytes() == before
    assert in_class(root, META) == 1
    cache = new_cache(root)
    for number in (0, 1, 3, 4):
        assert cache.read_blob(object_id(text(number))) == text(number)
    assert len([key for key in keys(root) if key.pack_class == DATA and key != place.pack]) == 1


def test_a_merged_pack_that_is_one_of_its_sources_stays(root: bytes, few: None) -> None:
    """Two writers stored the same object; a third pack is there so that there are enough of them."""
    x, y, z = text(7), text(8), text(9)
    with CacheWriter(new_cache(root), what="a") as first, CacheWriter(new_cache(root), what="b") as second:
        with CacheWriter(new_cache(root), what="c") as third:
            first.put_small(x)
            first.commit()
            second.put_small(x)
            second.put_small(y)
            second.commit()
            for each in (x, y, z):
                third.put_small(each)
            third.commit()
        assert in_class(root, DATA) == 3
    cache = new_cache(root)
    assert consolidate_if_due(cache) > 0
    assert len(cache.packs.keys()) == 1
    assert [cache.read_blob(object_id(each)) for each in (x, y, z)] == [x, y, z]


def test_a_damaged_file_under_the_name_of_the_merged_pack_stops_the_merge(
    root: bytes, few: None, by_hand: None
) -> None:
    for number in range(3):
        add(root, number)
    copy = root + b"-copy"
    shutil.copytree(os.fsdecode(root), os.fsdecode(copy))
    consolidate_if_due(new_cache(copy))
    before = keys(root)
    for key in keys(copy):
        path = new_cache(root).packs.path(key)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy(new_cache(copy).packs.path(key), path)
        flip(path, -20)
    cache = new_cache(root)
    with pytest.raises((IntegrityError, FormatError)):
        consolidate_if_due(cache)
    assert keys(root) == before
    expect_all(new_cache(root), range(3))
    assert os.listdir(cache.tmp) == []


def test_a_merge_that_fails_is_not_the_failure_of_the_command(
    root: bytes, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(consolidate, "publish", full)
    for number in range(5):
        add(root, number)
    assert len(keys(root)) == 10
    assert os.listdir(os.path.join(root, b"tmp")) == []
    expect_all(new_cache(root), range(5))


def test_the_merged_pack_is_durable_before_another_goes(
    root: bytes, few: None, by_hand: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        add(root, number)
    events: list[str] = []

    def note(module: ModuleType, name: str) -> None:
        function = getattr(module, name)

        def call(*args: object) -> object:
            events.append(name)
            return function(*args)

        monkeypatch.setattr(module, name, call)

    note(packwriter, "fsync_file")
    for name in ("publish", "fsync_dir", "delete_packs"):
        note(consolidate, name)
    assert consolidate_if_due(Cache(root, Settings(durable=True))) > 0
    assert events == ["fsync_file", "publish", "fsync_dir", "fsync_dir", "delete_packs"] * 2


STEPS = ("open", "write", "fchmod", "link", "unlink", "rename", "fsync", "ftruncate")


def die_at(step: int, work: Callable[[], object]) -> bool:
    """Do *work* in a child that ends without any clean-up at the n-th call that may change a disk; True if it did."""
    child = os.fork()
    if child == 0:
        calls = count()

        def counted(function: Callable[..., object]) -> Callable[..., object]:
            def call(*args: object, **kwargs: object) -> object:
                if next(calls) == step:
                    os._exit(9)
                return function(*args, **kwargs)

            return call

        try:
            for name in STEPS:
                setattr(os, name, counted(getattr(os, name)))
            work()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9)
    return code == 9


def test_a_kill_at_any_step_loses_nothing(root: bytes, few: None, by_hand: None) -> None:
    texts = {object_id(text(number)): text(number) for number in range(3)}
    for data in texts.values():
        with CacheWriter(new_cache(root), what="test") as writer:
            writer.put_small(data)
            writer.commit()
    copy = root + b"-copy"
    for step in count():
        shutil.copytree(os.fsdecode(root), os.fsdecode(copy))
        died = die_at(step, lambda: consolidate_if_due(Cache(copy, Settings(durable=True))))
        cache = new_cache(copy)
        assert {oid: cache.read_blob(oid) for oid in texts} == texts
        with CacheWriter(cache, what="next command"):
            assert os.listdir(cache.tmp) == []
        consolidate_if_due(cache)
        assert len(cache.packs.keys()) < 3
        assert {oid: cache.read_blob(oid) for oid in texts} == texts
        assert cache.packs.damage == []
        shutil.rmtree(copy)
        if not died:
            break
    assert step > 10

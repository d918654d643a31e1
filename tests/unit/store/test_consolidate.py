"""Merging the small packs of a cache: nothing is lost, whatever lies there and whoever reads meanwhile."""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.hashing.digests import object_id
from dvtool.store import cachewriter
from dvtool.store import consolidate
from dvtool.store import packwriter
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.consolidate import SMALL_PACKS
from dvtool.store.consolidate import consolidate_if_due
from tests.support.smallpacks import add
from tests.support.smallpacks import expect_all
from tests.support.smallpacks import keys
from tests.support.smallpacks import new_cache
from tests.support.smallpacks import text

ENOUGH = SMALL_PACKS + 1


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


def test_packs_that_are_gone_for_good_are_an_error_for_each_object(root: bytes) -> None:
    add(root, 0, 1)
    cache = new_cache(root)
    packed, _ = cache.in_pack_order([object_id(text(0)), object_id(text(1))])
    cache.packs._open.clear()
    shutil.rmtree(os.path.join(root, b"data"))
    errors = dict(cache.read_packed(packed))
    assert errors.keys() == {object_id(text(0)), object_id(text(1))}
    assert all(isinstance(error, IntegrityError) for error in errors.values())


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

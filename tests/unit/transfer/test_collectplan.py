"""What a collection chooses, from values alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.errors import StorageError
from dvtool.formats.index import IndexedPack
from dvtool.formats.pack import DATA
from dvtool.formats.records import DeadList
from dvtool.formats.records import Root
from dvtool.formats.records import RootRecord
from dvtool.model.digest import ObjectId
from dvtool.model.ports import Capabilities
from dvtool.model.ports import RemoteItem
from dvtool.remote.drivers.local import LocalRemote
from dvtool.transfer.collect.plan import plan_candidates
from dvtool.transfer.collect.plan import plan_doom
from dvtool.transfer.collect.plan import plan_release
from dvtool.transfer.collect.types import DAY
from dvtool.transfer.collect.types import ListedRecord
from dvtool.transfer.collect.types import PackUse
from dvtool.transfer.collect.types import times_for
from dvtool.transfer.collect.view import View
from dvtool.transfer.presence import key_of
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext
from tests.support.cloudgc import age
from tests.support.cloudgc import collect
from tests.support.cloudgc import planned
from tests.support.cloudgc import selection
from tests.support.datasets import REPOSITORY
from tests.support.datasets import store_file
from tests.unit.transfer.conftest import NewCache

NOW = 1_000 * DAY
KEPT, GONE, UNKNOWN = "a0" * 20, "b0" * 20, "c0" * 20
MINE = selection(commits=[KEPT], known=[GONE])
ROOT = Root(True, ObjectId(bytes(32)))


def pack(number: int, size: int = 1_000) -> IndexedPack:
    return IndexedPack(bytes([number]) * 32, b"abcd", DATA, size)


def record(
    days: float, *commits: str, repository: str = REPOSITORY, packs: tuple[str, ...] = (), rooted: bool = True
) -> ListedRecord:
    key = f"roots/{repository}/{commits[0] if commits else '0' * 40}-{os.urandom(8).hex()}"
    return ListedRecord(key, RootRecord(repository, commits, (ROOT,) if rooted else (), packs), NOW - days * DAY)


def view(*records: ListedRecord, packs: dict[IndexedPack, float] | None = None, dead: DeadList | None = None) -> View:
    items = {
        key_of(each): RemoteItem(key_of(each), each.size, NOW - days * DAY) for each, days in (packs or {}).items()
    }
    return View(frozenset(), records, {"dead/x": (dead, NOW)} if dead else {}, items, NOW)


@pytest.mark.parametrize(
    ("one", "goes"),
    [
        (record(31, GONE), True),
        (record(29, GONE), False),
        (record(400, KEPT), False),
        (record(400, GONE, KEPT), False),
        (record(400, GONE, UNKNOWN), False),
        (record(400, UNKNOWN), False),
        (record(400), False),
        (record(400, GONE, repository="another-repository"), False),
        (record(31, UNKNOWN, rooted=False), True),
        (record(29, GONE, rooted=False), False),
    ],
)
def test_which_records_are_released(one: ListedRecord, goes: bool) -> None:
    assert plan_release(view(one), MINE, times_for()) == ((one.key,) if goes else ())


def test_unknown_records_go_by_word_only() -> None:
    others = [record(91, UNKNOWN), record(91), record(91, GONE, repository="another-repository")]
    young = record(89, UNKNOWN)
    released = plan_release(view(*others, young, record(91, KEPT)), MINE, times_for(expire_unknown=90 * DAY))
    assert released == tuple(each.key for each in others)


def test_what_is_released_already_is_left_alone() -> None:
    old = record(400, GONE)
    assert plan_release(view(old, dead=DeadList((), (old.key,))), MINE, times_for()) == ()


def test_which_packs_may_be_doomed() -> None:
    young, old, named, doomed, named_long_ago, named_by_released = (pack(number) for number in range(1, 7))
    records = [
        record(29, UNKNOWN, packs=(key_of(named),)),
        record(31, UNKNOWN, packs=(key_of(named_long_ago),)),
        record(10, GONE, packs=(key_of(named_by_released),)),
    ]
    ages = {young: 6.9, old: 7.1, named: 400, doomed: 400, named_long_ago: 400, named_by_released: 400}
    seen = view(*records, packs=ages, dead=DeadList((key_of(doomed),)))
    chosen = plan_candidates(seen, [records[2].key], times_for())
    assert chosen == {key_of(old), key_of(named_long_ago), key_of(named_by_released)}
    everything = plan_candidates(seen, [], times_for(0))
    assert everything == {key_of(each) for each in ages} - {key_of(doomed)}


def use(number: int, size: int, live: float) -> PackUse:
    return PackUse(pack(number, size), 100, 100_000, round(100 * live), round(100_000 * live))


def test_what_is_dead_goes_and_what_is_partly_dead_is_rewritten() -> None:
    big = 60 << 20
    dead, worn, sound = use(1, big, 0), use(2, big, 0.75), use(3, big, 0.76)
    assert plan_doom([dead, worn, sound]) == ([dead.pack], [worn.pack], big + big - big * 3 // 4)


def test_small_packs_are_merged_where_they_make_a_larger_one() -> None:
    few = [use(number, 1 << 20, 1) for number in range(1, 6)]
    assert plan_doom(few) == ([], [], 0)
    many = [use(number, 1 << 20, 1) for number in range(1, 10)]
    assert plan_doom(many) == ([], [each.pack for each in many], 0)


@pytest.mark.parametrize("lack", ["delete", "listing", "server_time", "write"])
def test_a_remote_that_cannot_is_refused(lack: str, new_cache: NewCache, tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    remote = LocalRemote("origin", os.fsencode(tmp_path / "remote"))
    remote.capabilities = Capabilities(**{lack: False})
    with pytest.raises(StorageError, match="no collection there"):
        planned(new_cache(), remote, MINE)


def test_the_grace_is_twice_the_delay_of_listings_at_least(new_cache: NewCache, tmp_path: Path) -> None:
    remote = LocalRemote("origin", os.fsencode(tmp_path / "remote"))
    remote.capabilities = Capabilities(listing_delay=1_000.0)
    context = PushContext(REPOSITORY, (GONE,), "", os.fsencode(tmp_path / "journal"), 0.0)
    cache = new_cache()
    push(cache, remote, [store_file(cache, b"something")], context)
    done = collect(cache, remote, MINE, times_for(0))
    assert done.dead_list
    assert collect(cache, remote, MINE, times_for(0)).finished.lists == ()
    age(tmp_path / "remote", 2_100 / DAY)
    assert collect(cache, remote, MINE, times_for(0)).finished.lists == (done.dead_list,)

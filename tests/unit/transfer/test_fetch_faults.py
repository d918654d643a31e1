"""Only right bytes get a name in the cache; what is wrong or gone is had from another copy, or told by path."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dvtool.errors import StorageError
from dvtool.errors import UsageError
from dvtool.model.ports import Capabilities
from dvtool.model.ports import Remote
from dvtool.remote.counting import CountingRemote
from dvtool.remote.drivers.local import LocalRemote
from dvtool.store.cache import Cache
from dvtool.transfer.fetch import fetch
from dvtool.transfer.pages import RemoteTrees
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted
from tests.support.datasets import Files
from tests.support.datasets import content
from tests.support.datasets import damage
from tests.support.datasets import many_files
from tests.support.datasets import packs_of
from tests.support.datasets import read_directory
from tests.support.datasets import store_directory
from tests.support.datasets import store_file
from tests.support.faulty import Fault
from tests.support.faulty import FaultyRemote
from tests.support.faulty import Method
from tests.support.faulty import flip
from tests.support.faulty import shorten
from tests.unit.transfer.conftest import NewCache

FILES: Files = {
    **many_files(300),
    "sub": {"x": b"x", "y": content("y", 50_000)},
    "loose": content("loose", 300_000),
    "large": content("large", 5_000_000),
}


@pytest.fixture
def data(new_cache: NewCache, remote: Remote, context: PushContext) -> Wanted:
    cache = new_cache("source")
    wanted = store_directory(cache, FILES)
    push(cache, remote, [wanted], context)
    return wanted


def everything_right(cache: Cache, tmp: Path) -> None:
    """No temporary is left, and every object in the cache is what its name says."""
    assert not list((tmp / "cache/tmp").iterdir())
    cache.forget()
    for key in [*cache.packs.keys()]:
        cache.packs.table(key)
    assert cache.packs.damage == []


@pytest.mark.parametrize("change", [flip, shorten, lambda _: b""])
@pytest.mark.parametrize("method", ["get", "get_file"])
def test_wrong_once_is_asked_for_once_more(
    data: Wanted, new_cache: NewCache, remote: Remote, tmp_path: Path, change: Callable[[bytes], bytes], method: Method
) -> None:
    # The first answers to `get` are the store file and the index.
    for at in range(1 if method == "get_file" else 3, 40):
        cache = new_cache(f"cache{at}")
        faulty = FaultyRemote(remote, Fault(at, method, change=change))
        result = fetch(cache, [faulty], [data])
        assert (result.missing, result.damaged) == ((), ())
        assert read_directory(cache, data) == FILES
        if sum(1 for called, _ in faulty.log if called == method) < at:
            return
    pytest.fail("the sweep did not end")


@pytest.mark.parametrize("capabilities", [Capabilities(), Capabilities(ranges=False)])
def test_flipped_for_good_is_told_and_the_rest_comes(
    data: Wanted, new_cache: NewCache, tmp_path: Path, capabilities: Capabilities
) -> None:
    folder = tmp_path / "remote"
    remote = LocalRemote("origin", os.fsencode(folder))
    remote.capabilities = capabilities
    for key in packs_of(folder):
        if key.startswith("data/"):
            damage(folder / key, 200)
    cache = new_cache()
    result = fetch(cache, [remote], [data])
    assert result.missing == ()
    assert result.damaged
    assert {item.remote for item in result.damaged} == {"origin"}
    assert all(item.key in packs_of(folder) for item in result.damaged)
    bad = {item.path for item in result.damaged}
    assert result.objects == 304 - len(bad)
    everything_right(cache, tmp_path)
    assert not [item for item in result.damaged if cache.has_blob(item.oid)]


def test_a_damaged_tree_is_told_with_its_place(
    data: Wanted, new_cache: NewCache, remote: Remote, tmp_path: Path
) -> None:
    folder = tmp_path / "remote"
    for key in packs_of(folder):
        if key.startswith("meta/"):
            damage(folder / key, 200)
    result = fetch(new_cache(), [remote], [data])
    assert result.damaged
    assert {item.key for item in result.damaged} <= set(packs_of(folder))


def test_another_remote_helps(
    data: Wanted, new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    second = LocalRemote("second", os.fsencode(tmp_path / "second"))
    push(new_cache("source"), second, [data], context)
    folder = tmp_path / "remote"
    for key in packs_of(folder):
        damage(folder / key, 200)
    cache = new_cache()
    result = fetch(cache, [remote, second], [data])
    assert (result.missing, result.damaged) == ((), ())
    assert read_directory(cache, data) == FILES


def test_lost_packs_are_missing_by_path(data: Wanted, new_cache: NewCache, remote: Remote, tmp_path: Path) -> None:
    folder = tmp_path / "remote"
    for key in packs_of(folder):
        if key.startswith("data/"):
            (folder / key).unlink()
    result = fetch(new_cache(), [remote], [data])
    assert result.objects == 0
    assert len(result.missing) == 304
    assert b"data/sub/y" in {item.path for item in result.missing}


def test_an_error_is_never_taken_for_absent(data: Wanted, new_cache: NewCache, remote: Remote) -> None:
    for at in range(1, 30):
        faulty = FaultyRemote(remote, Fault(at, error=StorageError("unreachable"), times=1_000))
        try:
            result = fetch(new_cache(f"cache{at}"), [faulty], [data])
        except StorageError:
            continue
        assert (result.missing, result.damaged) == ((), ())
        return
    pytest.fail("the sweep did not end")


def test_an_unreachable_remote_beside_one_that_has_it_all(
    data: Wanted, new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    absent = LocalRemote("unmounted", os.fsencode(tmp_path / "nowhere"))
    assert fetch(new_cache(), [absent, remote], [data]).missing == ()
    with pytest.raises(StorageError):
        fetch(new_cache("other"), [absent], [data])


def test_a_cut_fetch_goes_on(data: Wanted, new_cache: NewCache, remote: Remote, tmp_path: Path) -> None:
    cache = new_cache()
    failures = 0
    for at in range(1, 40):
        try:
            fetch(cache, [FaultyRemote(remote, Fault(at, error=StorageError("cut")))], [data])
        except StorageError:
            failures += 1
        else:
            break
    assert failures
    assert read_directory(cache, data) == FILES
    everything_right(cache, tmp_path)


def test_what_arrived_before_the_cut_is_kept(new_cache: NewCache, remote: Remote, context: PushContext) -> None:
    source, cache = new_cache("source"), new_cache()
    wanted = [store_file(source, content(number, 300_000), b"%d" % number) for number in range(3)]
    for each in wanted:
        push(source, remote, [each], context)
    store_file_and_indexes = 4
    fault = Fault(store_file_and_indexes + 3, "get", error=StorageError("cut"))
    with pytest.raises(StorageError):
        fetch(cache, [FaultyRemote(remote, fault)], wanted, jobs=1)
    assert fetch(cache, [remote], wanted).objects == 1


def test_a_forged_copy_of_an_index_is_not_used(
    data: Wanted, new_cache: NewCache, remote: Remote, tmp_path: Path
) -> None:
    cache = new_cache()
    fetch(cache, [remote], [data], dry_run=True)
    [copy] = (tmp_path / "cache/remotes").glob("*/index/*")
    damage(copy, 100)
    assert fetch(cache, [remote], [data]).missing == ()
    assert read_directory(cache, data) == FILES


def test_nothing_missing_asks_nobody(data: Wanted, new_cache: NewCache, remote: Remote) -> None:
    counting = CountingRemote(remote)
    assert fetch(new_cache("source"), [counting], [data]).objects == 0
    assert not counting.calls


def test_parts_of_a_directory(new_cache: NewCache, remote: Remote, context: PushContext) -> None:
    source, cache = new_cache("source"), new_cache()
    files: Files = {**many_files(3_000, 10), "sub": {"deep": {"a": b"aa"}, "other": b"o"}}
    wanted = store_directory(source, files)
    push(source, remote, [wanted], context)
    result = fetch(cache, [remote], [wanted._replace(below=(b"sub/deep", b"file-000007"))])
    assert result.objects == 2
    cache.forget()
    assert not cache.has_blob(store_directory(source, {"o": b"o"}).oid)
    with pytest.raises(UsageError):
        fetch(cache, [remote], [wanted._replace(below=(b"sub/nothing",))])


def test_with_links_chosen_every_blob_is_loose(data: Wanted, new_cache: NewCache, remote: Remote) -> None:
    cache = new_cache(loose_all=True)
    fetch(cache, [remote], [data])
    assert read_directory(cache, data) == FILES
    assert {key.pack_class for key in [*cache.packs.keys()]} == {2}


def test_a_dry_run_brings_no_file(data: Wanted, new_cache: NewCache, remote: Remote) -> None:
    cache = new_cache()
    result = fetch(cache, [remote], [data], dry_run=True)
    assert (result.objects, result.missing) == (304, ())
    cache.forget()
    assert {key.pack_class for key in [*cache.packs.keys()]} <= {2}


def test_pages_are_kept(data: Wanted, new_cache: NewCache, remote: Remote) -> None:
    cache = new_cache()
    counting = CountingRemote(remote)
    with RemoteTrees(cache, [counting]) as trees:
        page = trees.get_page(data.oid)
        calls = sum(counting.calls.values())
        assert trees.get_page(data.oid) == page
        assert sum(counting.calls.values()) == calls
    cache.forget()
    assert cache.read_meta(data.oid, 2) == page


def test_few_requests_for_many_small_files(new_cache: NewCache, remote: Remote, context: PushContext) -> None:
    source = new_cache("source")
    wanted = store_directory(source, many_files(20_000, 20))
    pushing, fetching = CountingRemote(remote), CountingRemote(remote)
    push(source, pushing, [wanted], context)
    fetch(new_cache(), [fetching], [wanted])
    assert sum(pushing.calls.values()) < 20
    assert sum(fetching.calls.values()) < 10

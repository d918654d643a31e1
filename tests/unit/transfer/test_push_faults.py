"""Whatever happens to a remote behind our back, a push that says "done" can be fetched from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.records import DeadList
from dvtool.formats.records import RootRecord
from dvtool.formats.records import decode_root_record
from dvtool.formats.records import encode_dead_list
from dvtool.model.ports import Remote
from dvtool.remote.drivers.local import LocalRemote
from dvtool.remote.failures import TransientError
from dvtool.remote.retry import RetryingRemote
from dvtool.store.cache import Cache
from dvtool.transfer import outgoing
from dvtool.transfer.cloudstatus import remote_status
from dvtool.transfer.fetch import fetch
from dvtool.transfer.push import plan_push
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted
from tests.support.datasets import Files
from tests.support.datasets import content
from tests.support.datasets import damage
from tests.support.datasets import many_files
from tests.support.datasets import packs_of
from tests.support.datasets import read_directory
from tests.support.datasets import remote_files
from tests.support.datasets import store_directory
from tests.support.datasets import store_file
from tests.support.faulty import Fault
from tests.support.faulty import FaultyRemote
from tests.support.faulty import Method
from tests.unit.transfer.conftest import NewCache

FILES: Files = {
    **many_files(40),
    "sub": {"x": b"x", "y": content("y", 50_000)},
    "loose": content("loose", 300_000),
    "large": content("large", 5_000_000),
}


@pytest.fixture
def cache(new_cache: NewCache) -> Cache:
    return new_cache()


@pytest.fixture
def data(cache: Cache) -> Wanted:
    return store_directory(cache, FILES)


def assert_fetchable(new_cache: NewCache, remote: Remote, wanted: Wanted, files: Files = FILES) -> None:
    clone = new_cache("clone")
    result = fetch(clone, [remote], [wanted])
    assert (result.missing, result.damaged) == ((), ())
    assert read_directory(clone, wanted) == files


def lose(folder: Path, keys: list[str]) -> None:
    for key in keys:
        (folder / key).unlink()


def cut_off(folder: Path, keys: list[str]) -> None:
    for key in keys:
        path = folder / key
        whole = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(whole[:-1])


def doom(folder: Path, keys: list[str]) -> None:
    (folder / "dead").mkdir(exist_ok=True)
    (folder / "dead" / "0011").write_bytes(encode_dead_list(DeadList(tuple(keys))))


@pytest.mark.parametrize("how", [lose, cut_off, doom])
@pytest.mark.parametrize("which", [slice(None), slice(0, 1), slice(-1, None)])
def test_what_vanished_is_sent_again(
    cache: Cache,
    data: Wanted,
    new_cache: NewCache,
    remote: Remote,
    context: PushContext,
    tmp_path: Path,
    how: Callable[[Path, list[str]], None],
    which: slice,
) -> None:
    push(cache, remote, [data], context)
    folder = tmp_path / "remote"
    hit = packs_of(folder)[which]
    how(folder, hit)
    assert remote_status(cache, remote, [data]) != ()
    assert not plan_push(cache, remote, [data], context).up_to_date
    assert not push(cache, remote, [data], context).up_to_date
    assert remote_status(cache, remote, [data]) == ()
    if how is doom:
        lose(folder, hit)
    assert_fetchable(new_cache, remote, data)


@pytest.mark.parametrize("which", [slice(None), slice(0, 1)])
def test_lost_indexes_cost_no_data(
    cache: Cache, data: Wanted, new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path, which: slice
) -> None:
    push(cache, remote, [data], context)
    more = store_directory(cache, {"further": b"further"})
    push(cache, remote, [more], context)
    folder = tmp_path / "remote"
    before = packs_of(folder)
    lose(folder, [key for key in sorted(remote_files(folder)) if key.startswith("index/")][which])
    assert_fetchable(new_cache, remote, data)
    other = context._replace(journal_dir=context.journal_dir + b"-of-another-clone")
    # Under a mebibyte is sent again rather than looked for in a listing of all packs.
    assert push(cache, remote, [data, more], other).bytes_sent < 1_000
    assert set(before) <= set(packs_of(folder))
    assert [key for key in remote_files(folder) if key.startswith("index/")]


def test_a_damaged_index_is_passed_over(
    cache: Cache, data: Wanted, new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    push(cache, remote, [data], context)
    folder = tmp_path / "remote"
    [name] = [key for key in remote_files(folder) if key.startswith("index/")]
    damage(folder / name, 200)
    assert_fetchable(new_cache, remote, data)


def test_a_wiped_remote_is_filled_again(
    cache: Cache, data: Wanted, new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    push(cache, remote, [data], context)
    folder = tmp_path / "remote"
    lose(folder, list(remote_files(folder)))
    assert not push(cache, remote, [data], context).up_to_date
    assert_fetchable(new_cache, remote, data)


def test_a_pack_that_vanishes_during_the_push_is_sent_again(
    cache: Cache, data: Wanted, new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    folder = tmp_path / "remote"

    class Losing(FaultyRemote):
        def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
            done = super().put(key, data, create_only=create_only)
            if key.startswith("roots/") and sum(key.startswith("roots/") for _, key in self.log) == 1:
                lose(folder, packs_of(folder)[:1])
            return done

    push(cache, Losing(remote), [data], context)
    assert_fetchable(new_cache, remote, data)


def test_a_collection_during_the_push_is_noticed(
    cache: Cache, data: Wanted, new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    push(cache, remote, [data], context)
    folder = tmp_path / "remote"
    doomed = packs_of(folder)

    class Collecting(FaultyRemote):
        def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
            if key.startswith("roots/") and not (folder / "dead").exists():
                doom(folder, doomed)
            return super().put(key, data, create_only=create_only)

    other = context._replace(journal_dir=context.journal_dir + b"-of-another-clone")
    result = push(cache, Collecting(remote), [data], other)
    assert result.packs >= 2
    lose(folder, doomed)
    assert_fetchable(new_cache, remote, data)


@pytest.mark.parametrize("method", ["list", "stat", "get", "put", "put_file"])
@pytest.mark.parametrize("after", [False, True])
def test_a_push_that_fails_anywhere_goes_on_from_there(
    cache: Cache,
    data: Wanted,
    new_cache: NewCache,
    remote: Remote,
    context: PushContext,
    tmp_path: Path,
    method: Method,
    after: bool,
) -> None:
    failed = 0
    for at in range(1, 60):
        error = StorageError("the network is gone")
        fault = Fault(at, method, after=error) if after else Fault(at, method, error=error)
        # A remote that cannot be read at all counts as one that is still to be made.
        try:
            push(cache, FaultyRemote(remote, fault), [data], context)
        except StorageError:
            failed += 1
        else:
            break
    assert failed or method == "get"
    assert_fetchable(new_cache, remote, data)
    sent = sum(size for key, size in remote_files(tmp_path / "remote").items() if key.startswith("data/"))
    assert sent < 2 * data.size


def test_what_is_nowhere_is_told_by_path_and_the_rest_is_sent(
    cache: Cache, data: Wanted, new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    lost = store_directory(new_cache("gone"), {"a": b"only there"}, b"lost")
    with pytest.raises(MissingData) as caught:
        push(cache, remote, [data, lost], context)
    assert [cause.path for cause in caught.value.causes if isinstance(cause, MissingData)] == ["lost"]
    assert_fetchable(new_cache, remote, data)
    record = read_only_record(tmp_path / "remote")
    assert [root.oid for root in record.roots] == [data.oid]


def test_a_file_that_is_nowhere_is_told_with_its_path(
    cache: Cache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    data = store_directory(cache, {"sub": {"big": content("big", 200_000), "other": b"small"}})
    [loose] = [path for path in (tmp_path / "cache/objects").rglob("*") if path.is_file()]
    loose.unlink()
    cache.forget()
    assert [item.path for item in plan_push(cache, remote, [data], context).missing] == [b"data/sub/big"]
    with pytest.raises(MissingData) as caught:
        push(cache, remote, [data], context)
    assert [cause.path for cause in caught.value.causes if isinstance(cause, MissingData)] == ["data/sub/big"]
    assert not [key for key in remote_files(tmp_path / "remote") if key.startswith("roots/")]


@pytest.mark.parametrize("at", [300, 2_000, -3_000])
def test_damage_in_the_cache_never_reaches_the_remote(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path, at: int
) -> None:
    cache = new_cache()
    files = many_files(400)
    data = store_directory(cache, files)
    [pack] = [path for path in (tmp_path / "cache/data").rglob("*") if path.is_file()]
    damage(pack, at if at > 0 else pack.stat().st_size - 400 * 40 + at)
    with pytest.raises(IntegrityError) as caught:
        push(Cache(cache.root, cache.settings), remote, [data], context)
    named = {cause.path for cause in caught.value.causes if isinstance(cause, IntegrityError)}
    assert named
    clone = new_cache("clone")
    result = fetch(clone, [remote], [data])
    assert {os.fsdecode(item.path) for item in result.missing} == named
    assert result.damaged == ()
    assert result.objects == len(files) - len(named)


def test_damage_in_a_loose_file_is_told(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    cache = new_cache()
    data = store_directory(cache, {"big": content("big", 200_000), "large": content("large", 5_000_000), "ok": b"ok"})
    for path in (tmp_path / "cache/objects").rglob("*"):
        if path.is_file():
            damage(path, 100_000)
    with pytest.raises(IntegrityError) as caught:
        push(cache, remote, [data], context)
    assert sorted(str(cause.path) for cause in caught.value.causes if isinstance(cause, IntegrityError)) == [
        "data/big",
        "data/large",
    ]


def test_a_share_that_is_not_mounted_is_no_new_place(
    cache: Cache, data: Wanted, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    push(cache, remote, [data], context)
    (tmp_path / "remote").rename(tmp_path / "elsewhere")
    for attempt in (push, plan_push):
        with pytest.raises(StorageError):
            attempt(cache, remote, [data], context)
    assert not (tmp_path / "remote").exists()


def test_what_a_damaged_file_shares_with_a_right_one_is_sent(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    cache = new_cache()
    shared = content("shared", 12 << 20)
    first = store_file(cache, shared + b"first", b"first")
    second = store_file(cache, shared + b"second", b"second")
    elsewhere = LocalRemote("elsewhere", os.fsencode(tmp_path / "elsewhere"))
    push(cache, elsewhere, [first, second], context)
    other = new_cache("other")
    fetch(other, [elsewhere], [first, second])
    damage(os.fsdecode(other.loose_path(first.oid)), 100)
    with pytest.raises(IntegrityError) as caught:
        push(other, remote, [first, second], context)
    assert [cause.path for cause in caught.value.causes if isinstance(cause, IntegrityError)] == ["first"]
    clone = new_cache("clone")
    result = fetch(clone, [remote], [first, second])
    assert [item.path for item in result.missing] == [b"first"]
    assert result.objects == 1
    clone.forget()
    assert clone.read_blob(second.oid) == shared + b"second"


def test_nothing_that_was_not_asked_for_leaves_the_machine(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    cache = new_cache()
    secret = content("secret", 5_000)
    store_directory(cache, {"open": b"open", "secret": secret})
    data = store_directory(cache, {"open": b"open"})
    push(cache, remote, [data], context)
    assert not [key for key in packs_of(tmp_path / "remote") if secret in (tmp_path / "remote" / key).read_bytes()]
    assert_fetchable(new_cache, remote, data, {"open": b"open"})


def read_only_record(folder: Path) -> RootRecord:
    [key] = [key for key in remote_files(folder) if key.startswith("roots/")]
    return decode_root_record((folder / key).read_bytes(), key)


def test_every_attempt_to_send_a_pack_has_a_key_of_its_own(
    cache: Cache,
    data: Wanted,
    new_cache: NewCache,
    remote: Remote,
    context: PushContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outgoing, "backoff", lambda *_: 0.0)
    faulty = FaultyRemote(remote, Fault(1, "put_file", after=TransientError("the answer was lost"), times=3))
    push(cache, RetryingRemote(faulty), [data], context)
    keys = [key for method, key in faulty.log if method == "put_file"]
    assert len(keys) == len(set(keys)) > len({key.partition("-")[0] for key in keys})
    assert_fetchable(new_cache, remote, data)

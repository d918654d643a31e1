"""Pushes after pushes: only the difference is looked at and sent, and the proof still covers everything."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from dvtool.errors import StorageError
from dvtool.formats.records import decode_root_record
from dvtool.model.ports import Remote
from dvtool.remote.counting import CountingRemote
from dvtool.remote.drivers.local import LocalRemote
from dvtool.store.localpacks import TIER_FILES
from dvtool.transfer import outgoing
from dvtool.transfer import push as push_module
from dvtool.transfer.fetch import fetch
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext
from dvtool.transfer.walk import Need
from dvtool.transfer.walk import Walk
from tests.support.datasets import Files
from tests.support.datasets import content
from tests.support.datasets import many_files
from tests.support.datasets import packs_of
from tests.support.datasets import read_directory
from tests.support.datasets import remote_files
from tests.support.datasets import store_directory
from tests.support.datasets import store_file
from tests.support.faulty import Fault
from tests.support.faulty import FaultyRemote
from tests.unit.transfer.conftest import NewCache


@pytest.fixture
def difference_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_module, "_DIFFERENCE_FROM", 0)


def edits() -> list[Files]:
    wide = many_files(3_000, 10)
    deep: Files = {"a": {"b": {"c": b"c"}, "d": b"d"}, "e": {"f": b"f"}}
    return [
        {**wide, **deep},
        {**wide, **deep, "file-001500": b"changed"},
        {**wide, **deep, "a": {"b": {"c": b"other", "new": b"new"}, "d": b"d"}},
        {name: data for name, data in {**wide, **deep}.items() if name != "file-000001"},
        {**deep, "a": b"now a file", "e": {"f": {"deeper": b"f"}}},
        {**wide, **deep},
    ]


def test_each_state_of_a_directory_can_be_fetched(
    difference_always: None, new_cache: NewCache, remote: Remote, context: PushContext
) -> None:
    cache = new_cache()
    for number, files in enumerate(edits()):
        wanted = store_directory(cache, files)
        push(cache, remote, [wanted], context)
        clone = new_cache(f"clone{number}")
        result = fetch(clone, [remote], [wanted])
        assert (result.missing, result.damaged) == ((), ())
        assert read_directory(clone, wanted) == files


def test_only_the_difference_is_walked(new_cache: NewCache) -> None:
    cache = new_cache()
    states = edits()
    older = store_directory(cache, states[0])
    newer = store_directory(cache, states[1])
    cache.forget()

    def load(oids: object) -> dict[object, bytes]:
        assert isinstance(oids, list)
        return {oid: cache.read_meta(oid, 2) for oid in oids}

    needs = list(Walk(load, {b"data": older.oid}).needs([newer]))  # type: ignore[arg-type]
    assert [need.path for need in needs if need.kind == 1] == [b"data/file-001500"]
    assert list(Walk(load, {b"data": newer.oid}).needs([newer])) == []  # type: ignore[arg-type]
    everything: list[Need] = list(Walk(load).needs([newer]))  # type: ignore[arg-type]
    assert len([need for need in everything if need.kind == 1]) == newer.files


def test_a_lost_pack_of_an_earlier_push_is_noticed(
    difference_always: None, new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    cache = new_cache()
    first, second = edits()[:2]
    push(cache, remote, [store_directory(cache, first)], context)
    for key in packs_of(tmp_path / "remote"):
        (tmp_path / "remote" / key).unlink()
    wanted = store_directory(cache, second)
    push(cache, remote, [wanted], context)
    clone = new_cache("clone")
    assert fetch(clone, [remote], [wanted]).missing == ()
    assert read_directory(clone, wanted) == second


def test_the_same_data_under_a_new_commit_needs_a_record_only(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    cache = new_cache()
    wanted = store_directory(cache, many_files(10))
    push(cache, remote, [wanted], context)
    counting = CountingRemote(remote)
    assert push(cache, counting, [wanted], context._replace(commits=("d0" * 20,))).up_to_date
    assert counting.calls["put"] == 1
    records = [key for key in remote_files(tmp_path / "remote") if key.startswith("roots/")]
    assert len(records) == 2
    for key in records:
        record = decode_root_record((tmp_path / "remote" / key).read_bytes(), key)
        assert [root.oid for root in record.roots] == [wanted.oid]
        assert sorted(record.packs) == packs_of(tmp_path / "remote")


@pytest.mark.parametrize(("days", "records"), [(0, 1), (6.9, 1), (7.1, 2), (-3, 2)])
def test_a_record_is_written_again_after_a_week(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path, days: float, records: int
) -> None:
    cache = new_cache()
    wanted = store_directory(cache, many_files(10))
    push(cache, remote, [wanted], context)
    [key] = [key for key in remote_files(tmp_path / "remote") if key.startswith("roots/")]
    written = (tmp_path / "remote" / key).stat().st_mtime
    if days < 0:  # a record from the future is not trusted
        os.utime(tmp_path / "remote" / key, (written + 86_400 * 3, written + 86_400 * 3))
        days = 0
    push(cache, remote, [wanted], context._replace(now=written + 86_400 * days))
    found = [key for key in remote_files(tmp_path / "remote") if key.startswith("roots/")]
    assert len(found) == records


def test_an_unfinished_push_is_taken_up_by_its_journal(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    cache = new_cache()
    wanted = store_directory(cache, {str(number): content(number, 200_000) for number in range(3)})
    # The index file is the second value written: the packs are there, and nothing names them.
    with pytest.raises(StorageError):
        push(cache, FaultyRemote(remote, Fault(2, "put", error=StorageError("killed"))), [wanted], context)
    before = packs_of(tmp_path / "remote")
    assert before
    counting = CountingRemote(remote)
    push(cache, counting, [wanted], context)
    assert counting.calls["put_file"] == 0
    assert packs_of(tmp_path / "remote") == before
    assert not [name for name in os.listdir(context.journal_dir) if name.startswith(b"upload")]


def test_a_push_that_lasts_for_days_names_its_packs_meanwhile(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outgoing, "INDEX_EVERY", 1)
    monkeypatch.setattr(push_module, "_PROMISE_SECONDS", -1.0)
    cache = new_cache()
    wanted = store_directory(cache, many_files(10))
    push(cache, remote, [wanted], context)
    folder = tmp_path / "remote"
    keys = [key for key in remote_files(folder) if key.startswith("roots/")]
    records = [decode_root_record((folder / key).read_bytes(), key) for key in keys]
    assert sorted(len(record.roots) for record in records) == [0, 0, 1]
    assert {key for record in records if not record.roots for key in record.packs} == set(packs_of(folder))


def test_many_pushes_leave_few_indexes(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    cache = new_cache()
    states = [store_file(cache, content(number, 1_000), b"f%d" % number) for number in range(2 * TIER_FILES + 5)]
    for state in states:
        push(cache, remote, [state], context)
    assert len([key for key in remote_files(tmp_path / "remote") if key.startswith("index/")]) <= TIER_FILES + 1
    clone = new_cache("clone")
    assert fetch(clone, [remote], states).missing == ()
    kept = os.listdir(next((tmp_path / "clone/remotes").iterdir()) / "index")
    assert len(kept) <= TIER_FILES + 1


def test_eight_pushers_at_once(new_cache: NewCache, context: PushContext, tmp_path: Path) -> None:
    shared = many_files(50)
    failures: list[BaseException] = []
    wanted = []
    caches = []
    for number in range(8):
        caches.append(new_cache(f"cache{number}"))
        wanted.append(store_directory(caches[-1], {**shared, "own": content(number, 10_000)}))
    ready = threading.Barrier(8)

    def one(number: int) -> None:
        remote = LocalRemote("origin", os.fsencode(tmp_path / "remote"))
        own = context._replace(journal_dir=context.journal_dir + b"%d" % number, commits=(f"{number:x}" * 40,))
        ready.wait()
        try:
            push(caches[number], remote, [wanted[number]], own)
        except BaseException as error:  # noqa: BLE001 - shown by the main thread
            failures.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    clone = new_cache("clone")
    result = fetch(clone, [LocalRemote("origin", os.fsencode(tmp_path / "remote"))], wanted)
    assert (result.missing, result.damaged) == ((), ())


def test_a_part_of_a_directory_can_be_pushed(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    cache, clone = new_cache(), new_cache("clone")
    wanted = store_directory(cache, {"a": {"x": b"x"}, "b": {"y": b"y"}})._replace(below=(b"a",))
    push(cache, remote, [wanted], context)
    assert fetch(clone, [remote], [wanted]).missing == ()
    whole = fetch(clone, [remote], [wanted._replace(below=())])
    assert [item.path for item in whole.missing] == [b"data/b"]
    [key] = [key for key in remote_files(tmp_path / "remote") if key.startswith("roots/")]
    record = decode_root_record((tmp_path / "remote" / key).read_bytes(), key)
    assert wanted.oid not in [root.oid for root in record.roots]
    assert len(record.roots) == 1

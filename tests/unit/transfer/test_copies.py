"""What a remote proves to hold: never more than it has, and an error is no answer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dvtool.errors import StorageError
from dvtool.formats.pack import BYTES
from dvtool.formats.records import DeadList
from dvtool.formats.records import encode_dead_list
from dvtool.model.digest import ObjectId
from dvtool.model.ports import Remote
from dvtool.remote.counting import CountingRemote
from dvtool.remote.drivers.local import LocalRemote
from dvtool.store.cache import Cache
from dvtool.transfer.copies import Asked
from dvtool.transfer.copies import CopyProofs
from dvtool.transfer.push import push
from dvtool.transfer.session import Session
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted
from dvtool.transfer.walk import Walk
from tests.support.datasets import Files
from tests.support.datasets import content
from tests.support.datasets import many_files
from tests.support.datasets import packs_of
from tests.support.datasets import remote_files
from tests.support.datasets import store_directory
from tests.support.datasets import store_file
from tests.support.faulty import Fault
from tests.support.faulty import FaultyRemote
from tests.unit.transfer.conftest import NewCache

FILES: Files = {
    **many_files(300),
    "sub": {"x": b"x", "y": content("y", 50_000)},
    "loose": content("loose", 300_000),
    "large": content("large", 9_000_000),
}


@pytest.fixture
def cache(new_cache: NewCache) -> Cache:
    return new_cache()


@pytest.fixture
def data(cache: Cache) -> Wanted:
    return store_directory(cache, FILES)


def needs_of(cache: Cache, wanted: Wanted) -> list[Asked]:
    with Session(cache, [], what="test") as session:
        return [Asked(need.oid, need.kind, need.size) for need in Walk(session.load_pages).needs([wanted])]


def proved(cache: Cache, asked: list[Asked], *remotes: Remote) -> list[tuple[str, ...]]:
    with CopyProofs(cache, remotes) as proofs:
        found = [names for _, names in proofs.each(asked)]
        assert proofs.unreachable == []
        assert proofs.confirm()
    return found


def test_everything_that_was_pushed_is_proved_and_nothing_else(
    cache: Cache, data: Wanted, remote: Remote, context: PushContext
) -> None:
    asked = needs_of(cache, data)
    push(cache, remote, [data], context)
    other = store_file(cache, content("never pushed", 1_000))
    asked += [Asked(other.oid, BYTES, other.size), asked[0]._replace(size=asked[0].size + 1)]
    found = proved(cache, asked, remote)
    assert found == [("origin",)] * (len(asked) - 2) + [(), ()]


def test_a_place_that_nothing_was_pushed_to_proves_nothing(cache: Cache, data: Wanted, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    empty = LocalRemote("empty", os.fsencode(tmp_path / "empty"))
    assert set(proved(cache, needs_of(cache, data), empty)) == {()}


def test_a_remote_that_cannot_be_read_is_neither_absent_nor_present(
    cache: Cache, data: Wanted, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    push(cache, remote, [data], context)
    unmounted = LocalRemote("unmounted", os.fsencode(tmp_path / "unmounted"))
    with CopyProofs(cache, [unmounted, remote]) as proofs:
        assert {names for _, names in proofs.each(needs_of(cache, data))} == {("origin",)}
        assert len(proofs.unreachable) == 1
        assert not proofs.confirm()


@pytest.mark.parametrize("method", ["list", "get", "stat"])
def test_each_failing_request_leaves_every_object_unproved_and_is_told(
    cache: Cache, data: Wanted, remote: Remote, context: PushContext, method: str
) -> None:
    push(cache, remote, [data], context)
    asked = needs_of(cache, data)
    quiet = FaultyRemote(remote)
    proved(cache, asked, quiet)
    calls = sum(1 for called, _ in quiet.log if called == method)
    for at in range(1, calls + 1):
        failing = FaultyRemote(remote, Fault(at, method, error=StorageError("cut")))  # type: ignore[arg-type]
        with CopyProofs(cache, [failing]) as proofs:
            found = {names for _, names in proofs.each(asked)}
            is_sure = proofs.confirm()
            assert [error.message for error in proofs.unreachable] == ["cut"]
        assert not is_sure
        assert found in ({()}, {("origin",)})
    assert calls


def lose(folder: Path, key: str) -> None:
    (folder / key).unlink()


def cut_off(folder: Path, key: str) -> None:
    whole = (folder / key).read_bytes()
    (folder / key).chmod(0o600)
    (folder / key).write_bytes(whole[:-1])


def doom(folder: Path, key: str) -> None:
    (folder / "dead").mkdir(exist_ok=True)
    (folder / "dead" / "0011").write_bytes(encode_dead_list(DeadList((key,))))


def blank(folder: Path, key: str) -> None:
    """The right size, but zeros from the middle on, as after a crash of the server."""
    whole = (folder / key).read_bytes()
    (folder / key).chmod(0o600)
    (folder / key).write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))


@pytest.mark.parametrize("how", [lose, cut_off, doom, blank])
def test_what_lies_in_a_pack_that_is_gone_is_not_proved(
    cache: Cache,
    data: Wanted,
    remote: Remote,
    context: PushContext,
    tmp_path: Path,
    how: Callable[[Path, str], None],
) -> None:
    push(cache, remote, [data], context)
    asked = needs_of(cache, data)
    for key in packs_of(tmp_path / "remote"):
        copy = tmp_path / f"copy-{key.replace('/', '-')}"
        copy.mkdir()
        for name in remote_files(tmp_path / "remote"):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((tmp_path / "remote" / name).read_bytes())
        how(copy, key)
        found = proved(cache, asked, LocalRemote("copy", os.fsencode(copy)))
        assert () in found, key


def test_a_large_file_needs_every_piece(
    cache: Cache, remote: Remote, context: PushContext, new_cache: NewCache, tmp_path: Path
) -> None:
    large = store_file(cache, content("large", 9_000_000))
    asked = [Asked(large.oid, BYTES, large.size)]
    push(cache, remote, [large], context)
    elsewhere = new_cache("elsewhere")
    assert proved(elsewhere, asked, remote) == [("origin",)]
    assert not (tmp_path / "elsewhere" / "meta").exists()
    for key in packs_of(tmp_path / "remote"):
        if key.startswith("data/"):
            lose(tmp_path / "remote", key)
            break
    assert proved(elsewhere, asked, remote) == [()]


def test_packs_that_no_index_covers_count(
    cache: Cache, data: Wanted, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    push(cache, remote, [data], context)
    for name in remote_files(tmp_path / "remote"):
        if name.startswith("index/"):
            (tmp_path / "remote" / name).unlink()
    assert set(proved(cache, needs_of(cache, data), remote)) == {("origin",)}


def test_two_names_of_one_store_are_one_copy(
    cache: Cache, data: Wanted, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    push(cache, remote, [data], context)
    again = LocalRemote("again", os.fsencode(tmp_path / "remote"))
    second = LocalRemote("second", os.fsencode(tmp_path / "second"))
    push(cache, second, [data], context)
    with CopyProofs(cache, [remote, again, second]) as proofs:
        assert {names for _, names in proofs.each(needs_of(cache, data))} == {("origin", "second")}
        assert proofs.same == [("origin", "again")]


def test_what_vanishes_after_the_proof_is_seen_by_the_last_look(
    cache: Cache, data: Wanted, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    push(cache, remote, [data], context)
    with CopyProofs(cache, [remote]) as proofs:
        assert {names for _, names in proofs.each(needs_of(cache, data))} == {("origin",)}
        assert proofs.confirm()
        doom(tmp_path / "remote", packs_of(tmp_path / "remote")[0])
        assert not proofs.confirm()


def test_requests_do_not_grow_with_the_objects(
    new_cache: NewCache, cache: Cache, remote: Remote, context: PushContext
) -> None:
    few, many = (store_directory(cache, many_files(count), b"data") for count in (10, 20_000))
    push(cache, remote, [few, many], context)
    costs = []
    for wanted in (few, many):
        asked = needs_of(cache, wanted)
        counted = CountingRemote(remote)
        assert set(proved(new_cache(), asked, counted)) == {("origin",)}
        costs.append(sum(counted.calls.values()))
    assert costs[1] <= costs[0] + 2
    assert max(costs) < 16


def test_an_empty_question_asks_nothing(cache: Cache, remote: Remote) -> None:
    counted = CountingRemote(remote)
    with CopyProofs(cache, [counted]) as proofs:
        assert list(proofs.each([])) == []
    assert not counted.calls


def test_unknown_objects_are_not_proved_by_a_damaged_index(
    cache: Cache, data: Wanted, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    push(cache, remote, [data], context)
    for name in remote_files(tmp_path / "remote"):
        if name.startswith("index/"):
            path = tmp_path / "remote" / name
            whole = path.read_bytes()
            path.chmod(0o600)
            path.write_bytes(whole[:-40] + bytes(40))
    absent = ObjectId(b"\1" * 32)
    asked = [*needs_of(cache, data), Asked(absent, BYTES, 10)]
    assert proved(cache, asked, remote)[-1] == ()

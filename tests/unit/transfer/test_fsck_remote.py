"""A remote damaged in every way that a remote can be: what a check says, and what a repair brings back."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path

import pytest

from dvtool.disk.durable import open_temporary
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import StorageError
from dvtool.formats.records import Root
from dvtool.formats.records import RootRecord
from dvtool.formats.records import encode_root_record
from dvtool.hashing.digests import object_id
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.remote.drivers.local import LocalRemote
from dvtool.store.cache import Cache
from dvtool.store.fsck.choice import STRUCTURE
from dvtool.store.fsck.choice import Choice
from dvtool.store.fsck.values import Finding
from dvtool.store.fsck.values import Severity
from dvtool.store.fsck.values import StoreReport
from dvtool.transfer.collect.view import read_view
from dvtool.transfer.fetch import fetch
from dvtool.transfer.fsck.doom import doom_keys
from dvtool.transfer.fsck.doom import plan_remote_repair
from dvtool.transfer.fsck.gather import execute_remote_repair
from dvtool.transfer.fsck.remote import check_remote
from dvtool.transfer.fsck.whole import temporaries
from dvtool.transfer.parallel import Workers
from dvtool.transfer.push import push
from dvtool.transfer.rootrecords import write_records
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted
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

FILES = {
    **many_files(40, 400),
    "sub": {"x": b"x", "y": content("y", 50_000)},
    "loose": content("loose", 300_000),
    "large": content("large", 5_000_000),
}
DEEP = Choice(deep=True)


@pytest.fixture
def cache(new_cache: NewCache) -> Cache:
    return new_cache()


@pytest.fixture
def wanted(cache: Cache) -> Wanted:
    return store_directory(cache, FILES)


@pytest.fixture
def pushed(cache: Cache, remote: Remote, wanted: Wanted, context: PushContext) -> Remote:
    push(cache, remote, [wanted], context)
    return remote


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "remote"


def check(
    cache: Cache, remote: Remote, wanted: Sequence[Wanted], tmp_path: Path, choice: Choice = STRUCTURE
) -> StoreReport:
    return check_remote(cache, remote, wanted, choice, os.fsencode(tmp_path / "state"))


def errors(report: StoreReport) -> list[Finding]:
    return [finding for finding in report.findings if finding.severity is not Severity.NOTE]


def heal(cache: Cache, remote: Remote, wanted: Sequence[Wanted], context: PushContext, report: StoreReport) -> None:
    execute_remote_repair(cache, remote, (), plan_remote_repair(report.findings), wanted, context)


def fetched(new_cache: NewCache, remote: Remote, wanted: Wanted, name: str = "clone") -> dict[str, object]:
    clone = new_cache(name)
    result = fetch(clone, [remote], [wanted])
    assert (result.missing, result.damaged) == ((), ())
    return read_directory(clone, wanted)


def test_a_sound_remote_has_no_findings(cache: Cache, pushed: Remote, wanted: Wanted, tmp_path: Path) -> None:
    for choice in (STRUCTURE, DEEP):
        assert check(cache, pushed, [wanted], tmp_path, choice).findings == ()


def test_it_needs_nothing_in_the_cache(new_cache: NewCache, pushed: Remote, wanted: Wanted, tmp_path: Path) -> None:
    report = check(new_cache("empty"), pushed, [wanted], tmp_path, DEEP)
    assert report.findings == ()
    assert report.counts.bytes_hashed > 5_300_000


def test_every_flipped_bit_is_found_and_named(cache: Cache, pushed: Remote, wanted: Wanted, tmp_path: Path) -> None:
    chance = random.Random(11)
    folder = tmp_path / "remote"
    missed, tried = [], 0
    for key, size in remote_files(folder).items():
        for at in {0, size - 1, *(chance.randrange(size) for _ in range(32))}:
            damage(folder / key, at)
            tried += 1
            try:
                found = {finding.place.decode() for finding in errors(check(cache, pushed, [wanted], tmp_path, DEEP))}
            except FormatError as error:
                found = {key} if "newer" in error.message else set()
            if found != {key}:
                missed.append((key, at, found))
            damage(folder / key, at)
    assert tried >= 200
    assert missed == []


FAULTS: dict[str, Callable[[Path], None]] = {
    "flipped": lambda path: damage(path, path.stat().st_size // 3),
    "short": lambda path: os.truncate(path, path.stat().st_size - 3),
    "no table": lambda path: damage(path, -50),
    "empty": lambda path: os.truncate(path, 0),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_from_the_cache_all_comes_back(
    cache: Cache,
    pushed: Remote,
    wanted: Wanted,
    context: PushContext,
    tmp_path: Path,
    folder: Path,
    new_cache: NewCache,
    fault: str,
) -> None:
    for number, key in enumerate(packs_of(folder)):
        (folder / key).chmod(0o600)
        FAULTS[fault](folder / key)
        report = check(cache, pushed, [wanted], tmp_path, DEEP)
        (finding,) = (finding for finding in errors(report) if finding.paths)
        is_gone = fault == "gone"
        assert finding.place.decode() == key
        assert finding.severity is (Severity.MISSING if is_gone else Severity.DAMAGE)
        heal(cache, pushed, [wanted], context, report)
        assert check(cache, pushed, [wanted], tmp_path, DEEP).findings == (), key
        assert fetched(new_cache, pushed, wanted, f"clone{number}") == FILES
        before = remote_files(folder)
        heal(cache, pushed, [wanted], context, check(cache, pushed, [wanted], tmp_path, DEEP))
        assert remote_files(folder) == before


def test_what_nobody_asked_for_is_saved_from_a_damaged_pack(
    cache: Cache, remote: Remote, context: PushContext, tmp_path: Path, folder: Path, new_cache: NewCache
) -> None:
    """Another revision lies in the same packs, and the cache does not have it any more."""
    old = store_directory(cache, many_files(60, 400), b"old")
    push(cache, remote, [old], context)
    (pack,) = (key for key in packs_of(folder) if key.startswith("data/"))
    spoilt = content(7, 400)
    damage(folder / pack, (folder / pack).read_bytes().index(spoilt))
    empty = new_cache("empty")
    report = check(empty, remote, [], tmp_path, DEEP)
    assert [finding.place.decode() for finding in errors(report)] == [pack]
    heal(empty, remote, [], context, report)
    assert errors(check(empty, remote, [], tmp_path, DEEP)) == []
    result = fetch(new_cache("clone"), [remote], [old])
    assert [item.oid for item in result.missing] + [item.oid for item in result.damaged] == [object_id(spoilt)]


def test_what_only_another_remote_has_is_fetched_and_no_more(
    cache: Cache,
    pushed: Remote,
    wanted: Wanted,
    context: PushContext,
    tmp_path: Path,
    folder: Path,
    new_cache: NewCache,
) -> None:
    backup = LocalRemote("backup", os.fsencode(tmp_path / "backup"))
    push(cache, backup, [wanted], context)
    empty = new_cache("empty")
    for key in packs_of(folder):
        if key.startswith("data/") and (folder / key).stat().st_size < 1 << 20:
            (folder / key).unlink()
    report = check(empty, pushed, [wanted], tmp_path)
    plan = plan_remote_repair(report.findings)
    execute_remote_repair(empty, pushed, [backup], plan, [wanted], context)
    assert errors(check(empty, pushed, [wanted], tmp_path, DEEP)) == []
    assert not empty.has_blob(object_id(content("large", 5_000_000)))
    assert fetched(new_cache, pushed, wanted) == FILES


def test_when_all_but_the_documents_is_lost_another_remote_brings_it_back(
    cache: Cache,
    pushed: Remote,
    wanted: Wanted,
    context: PushContext,
    tmp_path: Path,
    folder: Path,
    new_cache: NewCache,
) -> None:
    backup = LocalRemote("backup", os.fsencode(tmp_path / "backup"))
    push(cache, backup, [wanted], context)
    for key in packs_of(folder):
        (folder / key).unlink()
    empty = new_cache("empty")
    plan = plan_remote_repair(check(empty, pushed, [wanted], tmp_path).findings)
    execute_remote_repair(empty, pushed, [backup], plan, [wanted], context)
    assert errors(check(empty, pushed, [wanted], tmp_path, DEEP)) == []
    assert fetched(new_cache, pushed, wanted) == FILES


def test_what_is_nowhere_stays_missing_and_is_named(
    cache: Cache,
    pushed: Remote,
    wanted: Wanted,
    context: PushContext,
    tmp_path: Path,
    folder: Path,
    new_cache: NewCache,
) -> None:
    (pack,) = (key for key in packs_of(folder) if content(3, 400) in (folder / key).read_bytes())
    damage(folder / pack, (folder / pack).read_bytes().index(content(3, 400)))
    empty = new_cache("empty")
    heal(empty, pushed, [wanted], context, check(empty, pushed, [wanted], tmp_path, DEEP))
    (finding,) = errors(check(empty, pushed, [wanted], tmp_path, DEEP))
    assert (finding.severity, finding.paths) == (Severity.MISSING, (b"data/file-000003",))


def test_a_damaged_record_of_others_is_named_and_stays(
    cache: Cache, pushed: Remote, wanted: Wanted, context: PushContext, tmp_path: Path
) -> None:
    key = "roots/another-repository/" + "1" * 40 + "-" + "2" * 16
    pushed.put(key, encode_root_record(RootRecord("another-repository", (), (), ()))[:-2] + b"x\n")
    report = check(cache, pushed, [wanted], tmp_path)
    assert [finding.place.decode() for finding in errors(report)] == [key]
    heal(cache, pushed, [wanted], context, report)
    assert pushed.stat(key) is not None


def test_a_damaged_dead_list_is_named_and_nothing_is_guessed(
    cache: Cache, pushed: Remote, wanted: Wanted, context: PushContext, tmp_path: Path, folder: Path
) -> None:
    pushed.put("dead/0011223344556677", b"rubbish")
    report = check(cache, pushed, [wanted], tmp_path)
    assert [finding.kind.value for finding in errors(report)] == ["dead"]
    before = remote_files(folder)
    heal(cache, pushed, [wanted], context, report)
    assert remote_files(folder) == before


def test_a_push_that_wrote_no_record_is_a_note(
    cache: Cache, pushed: Remote, wanted: Wanted, context: PushContext, tmp_path: Path, folder: Path
) -> None:
    shutil.rmtree(folder / "roots")
    (finding,) = check(cache, pushed, [wanted], tmp_path).findings
    assert (finding.severity, finding.kind.value, finding.paths) == (Severity.NOTE, "unkept", (b"data",))
    push(cache, pushed, [wanted], context)
    assert check(cache, pushed, [wanted], tmp_path).findings == ()


def test_a_damaged_directory_names_the_directory(
    cache: Cache, pushed: Remote, wanted: Wanted, tmp_path: Path, folder: Path, new_cache: NewCache
) -> None:
    for key in packs_of(folder):
        if key.startswith("meta/"):
            (folder / key).unlink()
    report = check(new_cache("empty"), pushed, [wanted], tmp_path)
    assert {path for finding in errors(report) for path in finding.paths} == {b"data"}


def test_a_listing_that_fails_is_an_error_and_no_finding(
    cache: Cache, pushed: Remote, wanted: Wanted, tmp_path: Path
) -> None:
    for at in range(1, 6):
        broken = FaultyRemote(pushed, Fault(at, "list", error=StorageError("no answer")))
        with pytest.raises(StorageError, match="no answer"):
            check(cache, broken, [wanted], tmp_path)


def test_a_flipped_answer_is_asked_for_again(cache: Cache, pushed: Remote, wanted: Wanted, tmp_path: Path) -> None:
    broken = FaultyRemote(pushed, Fault(1, "get_file", change=lambda data: data[:-1] + b"\0"))
    assert check(cache, broken, [wanted], tmp_path, DEEP).findings == ()


def unreadable(clone: Cache, remote: Remote, wanted: Sequence[Wanted]) -> set[bytes]:
    result = fetch(clone, [remote], wanted)
    return {item.path for item in result.missing} | {item.path for item in result.damaged}


@pytest.mark.parametrize("method", ["put", "put_file", "delete"])
def test_a_repair_that_is_stopped_at_any_change_makes_no_second_fault(
    cache: Cache,
    remote: Remote,
    context: PushContext,
    tmp_path: Path,
    folder: Path,
    new_cache: NewCache,
    method: Method,
) -> None:
    """What could be had before can be had after; the same repair again ends with a sound remote."""
    wanted = [store_directory(cache, many_files(20, 400))]
    push(cache, remote, wanted, context)
    more = [*wanted, store_directory(cache, {"more": content("more", 20_000)}, b"more")]
    push(cache, remote, more, context)
    wanted = more
    (pack,) = (key for key in packs_of(folder) if content(3, 400) in (folder / key).read_bytes())
    damage(folder / pack, (folder / pack).read_bytes().index(content(3, 400)))
    damage(next((folder / "index").iterdir()), 30)
    (folder / next(key for key in packs_of(folder) if key.startswith("meta/"))).unlink()
    lost = unreadable(new_cache("before"), remote, wanted)
    shutil.copytree(folder, tmp_path / "template")
    at = 0
    while True:
        at += 1
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "template", folder)
        report = check(cache, remote, wanted, tmp_path, DEEP)
        stop = StorageError("stopped")
        broken = FaultyRemote(remote, Fault(at, method, after=stop), Fault(at + 1, method, error=stop, times=99))
        try:
            heal(cache, broken, wanted, context, report)
        except StorageError:
            pass
        if sum(called == method for called, _ in broken.log) < at:
            break
        assert unreadable(new_cache(f"half-{at}"), remote, wanted) <= lost, at
        heal(cache, remote, wanted, context, check(cache, remote, wanted, tmp_path, DEEP))
        assert errors(check(cache, remote, wanted, tmp_path, DEEP)) == [], at
    assert at > 1


def test_a_damaged_record_stops_a_collection_until_it_is_released(
    pushed: Remote, wanted: Wanted, context: PushContext, folder: Path
) -> None:
    (path,) = (path for path in (folder / "roots").rglob("*") if path.is_file())
    key = path.relative_to(folder).as_posix()
    damage(path, 30)
    with Workers(2) as workers:
        with pytest.raises(IntegrityError, match=key):
            read_view(pushed, workers, 0.0)
        write_records(pushed, context, [Root(True, wanted.oid)], [])
        doom_keys(pushed, records=[key])
        view = read_view(pushed, workers, 0.0)
    assert view.released == {key}
    assert [Root(True, wanted.oid)] == [root for record in view.records for root in record.record.roots]


def test_nobody_sweeps_the_temporaries_of_a_check(new_cache: NewCache) -> None:
    cache = new_cache("fresh")
    with temporaries(cache, SILENT) as tmp:
        fd, path = open_temporary(tmp)
        os.close(fd)
        store_file(cache, b"an add meanwhile")
        assert os.path.exists(path)
    store_file(cache, b"the next one")
    assert not os.path.exists(path)

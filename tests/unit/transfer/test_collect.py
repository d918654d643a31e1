"""A collection on a remote takes what nobody needs, after its grace, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.records import decode_dead_list
from dvtool.model.ports import Remote
from dvtool.remote.drivers.local import LocalRemote
from dvtool.store.cache import Cache
from dvtool.transfer.collect.collect import Collection
from dvtool.transfer.collect.types import CollectContext
from dvtool.transfer.collect.types import times_for
from dvtool.transfer.collect.undo import undo_collection
from dvtool.transfer.fetch import fetch
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted
from tests.support.cloudgc import age
from tests.support.cloudgc import collect
from tests.support.cloudgc import planned
from tests.support.cloudgc import selection
from tests.support.datasets import COMMIT
from tests.support.datasets import Files
from tests.support.datasets import content
from tests.support.datasets import damage
from tests.support.datasets import many_files
from tests.support.datasets import packs_of
from tests.support.datasets import read_directory
from tests.support.datasets import remote_files
from tests.support.datasets import store_directory
from tests.support.faulty import Fault
from tests.support.faulty import FaultyRemote
from tests.unit.transfer.conftest import NewCache

OLD = "01" * 20
OLD_FILES: Files = {**many_files(60), "only": content("only", 30_000), "large": content("large", 9_000_000)}
NEW_FILES: Files = {**many_files(20), "sub": {"x": b"x"}, "big": content("big", 6_000_000)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "remote"


@pytest.fixture
def cache(new_cache: NewCache) -> Cache:
    return new_cache()


@pytest.fixture
def old(cache: Cache, remote: Remote, context: PushContext) -> Wanted:
    """Pushed for a commit that nobody needs any more."""
    wanted = store_directory(cache, OLD_FILES, b"old")
    push(cache, remote, [wanted], context._replace(commits=(OLD,)))
    return wanted


@pytest.fixture
def new(cache: Cache, remote: Remote, context: PushContext, old: Wanted) -> Wanted:
    """Pushed afterwards, sharing some of it."""
    wanted = store_directory(cache, NEW_FILES, b"new")
    push(cache, remote, [wanted], context)
    return wanted


def assert_whole(new_cache: NewCache, remote: Remote, wanted: Wanted, files: Files, name: str = "clone") -> None:
    clone = new_cache(name)
    result = fetch(clone, [remote], [wanted])
    assert (result.missing, result.damaged) == ((), ())
    assert read_directory(clone, wanted) == files


ALL = times_for(0)
KEEP_NEW = selection(commits=[COMMIT], known=[OLD])


def test_nothing_is_touched_before_its_time(
    cache: Cache, remote: Remote, old: Wanted, new: Wanted, folder: Path
) -> None:
    before = remote_files(folder)
    assert planned(cache, remote, KEEP_NEW).nothing
    collect(cache, remote, KEEP_NEW)
    age(folder, 29)
    collect(cache, remote, KEEP_NEW)
    assert remote_files(folder) == before


def test_doomed_first_deleted_after_the_grace(
    cache: Cache, remote: Remote, old: Wanted, new: Wanted, folder: Path, new_cache: NewCache
) -> None:
    age(folder, 31)
    size = sum(remote_files(folder).values())
    plan = planned(cache, remote, KEEP_NEW)
    assert plan.bytes_doomed > 8_000_000
    assert plan.bytes_freed == 0
    done = collect(cache, remote, KEEP_NEW)
    assert done.doomed == plan.doom
    assert (folder / done.dead_list).exists()
    assert_whole(new_cache, remote, new, NEW_FILES)
    assert_whole(new_cache, remote, old, OLD_FILES, "reader of the old")
    age(folder, 13)
    assert planned(cache, remote, KEEP_NEW).nothing
    age(folder, 1.1)
    plan = planned(cache, remote, KEEP_NEW)
    assert plan.bytes_freed > 8_000_000
    done = collect(cache, remote, KEEP_NEW)
    assert done.finished == plan.finish
    assert sum(remote_files(folder).values()) < size - plan.bytes_freed + 100_000
    assert not [key for key in remote_files(folder) if key.startswith(("dead/", "clock/", f"roots/x/{OLD}"))]
    assert_whole(new_cache, remote, new, NEW_FILES, "after")
    assert len([key for key in remote_files(folder) if key.startswith("roots/")]) == 1


def test_a_grace_of_nothing_takes_all_at_once(
    cache: Cache, remote: Remote, old: Wanted, new: Wanted, folder: Path, new_cache: NewCache
) -> None:
    before = sum(remote_files(folder).values())
    with Collection(cache, remote, KEEP_NEW, ALL, CollectContext(b"", 0.0)) as work:
        plan = work.plan()
        listed = [each.digest for each, now in work.objects(plan) if now]
        done = work.execute(plan)
    assert len(listed) == len(set(listed)) > 40
    assert plan.bytes_freed > 8_000_000
    assert done.kept_back == ()
    assert abs(before - sum(remote_files(folder).values()) - plan.bytes_freed) < 50_000
    assert_whole(new_cache, remote, new, NEW_FILES)
    gone = fetch(new_cache("other"), [remote], [old])
    assert gone.missing
    assert planned(cache, remote, KEEP_NEW, ALL).nothing


def test_what_others_pushed_stays(
    cache: Cache, remote: Remote, old: Wanted, new: Wanted, folder: Path, new_cache: NewCache, context: PushContext
) -> None:
    foreign = store_directory(cache, {"theirs": content("theirs", 50_000)}, b"foreign")
    push(cache, remote, [foreign], context._replace(repository_id="another-repository", commits=("ab" * 20,)))
    unknown = store_directory(cache, {"unknown": content("unknown", 50_000)}, b"unknown")
    push(cache, remote, [unknown], context._replace(commits=("cd" * 20,)))
    bare = store_directory(cache, {"bare": content("bare", 50_000)}, b"bare")
    push(cache, remote, [bare], context._replace(commits=()))
    age(folder, 200)
    for _ in range(2):
        collect(cache, remote, KEEP_NEW)
        age(folder, 15)
    for number, wanted in enumerate((foreign, unknown, bare, new)):
        clone = new_cache(f"clone{number}")
        assert fetch(clone, [remote], [wanted]).missing == ()
    assert fetch(new_cache("gone"), [remote], [old]).missing
    for _ in range(2):
        collect(cache, remote, KEEP_NEW, times_for(expire_unknown=90 * 86_400.0))
        age(folder, 15)
    assert fetch(new_cache("now gone"), [remote], [foreign]).missing
    assert_whole(new_cache, remote, new, NEW_FILES, "still")


def test_what_this_clone_selects_stays_without_any_record(
    cache: Cache, remote: Remote, old: Wanted, new: Wanted, folder: Path, new_cache: NewCache
) -> None:
    age(folder, 40)
    for key in remote_files(folder):
        if key.startswith("roots/"):
            (folder / key).unlink()
    chosen = selection([old])
    for _ in range(2):
        collect(cache, remote, chosen)
        age(folder, 15)
    assert_whole(new_cache, remote, old, OLD_FILES)
    assert fetch(new_cache("gone"), [remote], [new]).missing


@pytest.mark.parametrize("late", [False, True])
def test_a_push_while_packs_are_doomed_is_kept(
    cache: Cache,
    remote: Remote,
    old: Wanted,
    new: Wanted,
    folder: Path,
    new_cache: NewCache,
    context: PushContext,
    late: bool,
) -> None:
    age(folder, 31)
    collect(cache, remote, KEEP_NEW)
    if late:
        age(folder, 15)
    other = new_cache("colleague")
    wanted = store_directory(other, OLD_FILES, b"old")
    journal = context._replace(journal_dir=context.journal_dir + b"2", commits=(OLD,))
    assert not push(other, remote, [wanted], journal).up_to_date
    for _ in range(3):
        age(folder, 15)
        collect(cache, remote, selection(commits=[COMMIT]))
    assert_whole(new_cache, remote, old, OLD_FILES)
    assert_whole(new_cache, remote, new, NEW_FILES, "clone2")


def test_a_record_that_relies_on_a_doomed_pack_saves_it_at_the_end(
    cache: Cache, remote: Remote, old: Wanted, new: Wanted, folder: Path, new_cache: NewCache
) -> None:
    """As when the second look came just before the list: the records are read again, and the live part is copied."""
    age(folder, 31)
    record = next(key for key in remote_files(folder) if OLD in key)
    collect(cache, remote, KEEP_NEW)
    data = (folder / record).read_bytes()
    (folder / record).with_name(f"{OLD}-{'7' * 16}").write_bytes(data)
    age(folder, 15)
    done = collect(cache, remote, KEEP_NEW)
    assert done.copied_objects > 40
    assert_whole(new_cache, remote, old, OLD_FILES)
    assert not (folder / record).exists()


def test_what_cannot_be_copied_keeps_its_key(
    cache: Cache, remote: Remote, old: Wanted, new: Wanted, folder: Path, new_cache: NewCache
) -> None:
    age(folder, 31)
    record = next(key for key in remote_files(folder) if OLD in key)
    first = collect(cache, remote, KEEP_NEW)
    (folder / record).with_name(f"{OLD}-{'7' * 16}").write_bytes((folder / record).read_bytes())
    doomed = decode_dead_list((folder / first.dead_list).read_bytes(), "").packs
    hit = max((key for key in doomed if key.startswith("data/")), key=lambda key: (folder / key).stat().st_size)
    damage(folder / hit, 20_000)
    age(folder, 15)
    done = collect(cache, remote, KEEP_NEW)
    assert done.kept_back == (hit,)
    assert (folder / hit).exists()
    assert (folder / first.dead_list).exists()
    assert not [key for key in doomed if key != hit and (folder / key).exists()]
    assert_whole(new_cache, remote, new, NEW_FILES)


@pytest.mark.parametrize("which", ["roots/", "dead/", "index/", "data/", "meta/"])
def test_any_doubt_stops_it(
    cache: Cache, remote: Remote, old: Wanted, new: Wanted, folder: Path, which: str, tmp_path: Path
) -> None:
    age(folder, 31)
    collect(cache, remote, KEEP_NEW)
    age(folder, 15)
    keys = [key for key in sorted(remote_files(folder)) if key.startswith(which)]
    if which in {"data/", "meta/"}:
        path = folder / keys[0]
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-1])
    else:
        # A record that was released keeps nothing, and may be damaged; the other one may not.
        for key in keys if which == "roots/" else keys[:1]:
            damage(folder / key, 100)
    before = remote_files(folder)
    other = Cache(bytes(tmp_path / "other"), cache.settings)
    with pytest.raises(DvtoolError):
        collect(other, remote, KEEP_NEW, ALL)
    assert remote_files(folder) == before


def test_a_lost_tree_stops_it(
    cache: Cache, remote: Remote, old: Wanted, new: Wanted, folder: Path, new_cache: NewCache
) -> None:
    for key in packs_of(folder):
        if key.startswith("meta/"):
            (folder / key).unlink()
    before = remote_files(folder)
    with pytest.raises(MissingData, match="not known"):
        collect(new_cache("empty"), remote, KEEP_NEW, ALL)
    assert remote_files(folder) == before


def test_lost_bytes_are_told_and_the_rest_is_kept(
    cache: Cache, remote: Remote, old: Wanted, new: Wanted, folder: Path, new_cache: NewCache
) -> None:
    hit = max((key for key in packs_of(folder)), key=lambda key: (folder / key).stat().st_size)
    (folder / hit).unlink()
    age(folder, 31)
    plan = planned(cache, remote, selection(commits=[COMMIT, OLD]))
    assert plan.missing_count == len(plan.missing) > 0
    assert all(each.needed_by.startswith("roots/") for each in plan.missing)
    assert plan.nothing


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("short", [False, True])
def test_a_listing_that_fails_or_ends_early_deletes_nothing_needed(
    cache: Cache, remote: Remote, old: Wanted, new: Wanted, folder: Path, new_cache: NewCache, at: int, short: bool
) -> None:
    age(folder, 31)
    fault = Fault(at, "list", drop_items=1) if short else Fault(at, "list", error=StorageError("the network is gone"))
    before = remote_files(folder)
    try:
        collect(cache, FaultyRemote(remote, fault), selection(commits=[COMMIT, OLD]), ALL)
    except DvtoolError:
        assert {key for key in before if key.startswith(("data/", "meta/", "roots/"))} <= remote_files(folder).keys()
    assert_whole(new_cache, remote, new, NEW_FILES)
    assert_whole(new_cache, remote, old, OLD_FILES, "clone2")


def test_a_collection_that_is_killed_anywhere_is_finished_by_the_next(
    cache: Cache, new_cache: NewCache, context: PushContext, tmp_path: Path
) -> None:
    before = tmp_path / "before"
    old_files, new_files = many_files(30), many_files(12)
    for files, commit in ((old_files, OLD), (new_files, COMMIT)):
        wanted = store_directory(cache, files, commit.encode())
        push(cache, LocalRemote("origin", bytes(before)), [wanted], context._replace(commits=(commit,)))
    old, new = store_directory(cache, old_files), store_directory(cache, new_files)
    killed = 0
    for at in range(1, 200):
        folder = tmp_path / f"remote{at}"
        shutil.copytree(before, folder)
        remote = LocalRemote("origin", bytes(folder))
        try:
            collect(cache, FaultyRemote(remote, Fault(at, error=StorageError("killed"), times=1_000)), KEEP_NEW, ALL)
        except StorageError:
            killed += 1
            collect(cache, remote, KEEP_NEW, ALL)
            collect(cache, remote, KEEP_NEW, ALL)
        else:
            break
        assert_whole(new_cache, remote, new, new_files, f"clone{at}")
        assert fetch(new_cache(f"other{at}"), [remote], [old]).missing
        assert not [key for key in remote_files(folder) if key.startswith("dead/")]
    assert killed > 40


def test_undo_brings_everything_back_under_new_keys(
    cache: Cache, remote: Remote, old: Wanted, new: Wanted, folder: Path, new_cache: NewCache
) -> None:
    age(folder, 31)
    done = collect(cache, remote, KEEP_NEW)
    undone = undo_collection(new_cache("other"), remote, done.dead_list, CollectContext(b"", 0.0))
    assert undone.lost == ()
    assert undone.records == 1
    for _ in range(3):
        age(folder, 15)
        collect(cache, remote, selection(commits=[COMMIT, OLD]))
    assert not (folder / done.dead_list).exists()
    assert_whole(new_cache, remote, old, OLD_FILES)
    assert_whole(new_cache, remote, new, NEW_FILES, "clone2")


def test_undo_of_a_finished_collection_says_so(cache: Cache, remote: Remote, old: Wanted, new: Wanted) -> None:
    done = collect(cache, remote, KEEP_NEW, ALL)
    with pytest.raises(MissingData, match="finished"):
        undo_collection(cache, remote, done.dead_list, CollectContext(b"", 0.0))

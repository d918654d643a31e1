"""What gc keeps, takes, refuses and gives back."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dvtool.api.gc import GcRequest
from dvtool.api.gc import GcResult
from dvtool.api.gc import gc
from dvtool.disk.lock import FileLock
from dvtool.disk.lock import Waiting
from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import Locked
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import UsageError
from dvtool.formats.oplog import Operation
from dvtool.project.keeping import KeepRules
from dvtool.project.open import open_project
from dvtool.project.oplog import operations
from dvtool.store import trash
from tests.support.collecting import ALL
from tests.support.collecting import collect
from tests.support.collecting import comes_back
from tests.support.collecting import digests
from tests.support.collecting import version
from tests.support.trees import assert_tree
from tests.support.trees import tree_of
from tests.support.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "repo")


def last_operation(bench: Workbench) -> Operation:
    found = operations(bench.project.layout)[-1].operation
    assert found is not None
    return found


def test_what_the_workspace_needs_is_kept_and_the_rest_goes(bench: Workbench) -> None:
    first, second = version(bench, 1), version(bench, 2)
    before = digests(bench)
    result = collect(bench)
    assert {each.digest for each in result.objects} == {f"blake3:{oid.hex()}" for oid in before - digests(bench)}
    assert {(each.path, each.commit) for each in result.objects if each.kind == "file"} == {
        (b"big", first),
        *((b"d/f%d" % index, first) for index in range(1, 20, 2)),
    }
    assert comes_back(bench, second)
    assert not comes_back(bench, first)


def test_a_commit_whose_data_went_before_can_be_passed_over_by_word(bench: Workbench) -> None:
    first, second = version(bench, 1), version(bench, 2)
    collect(bench)
    bench.git("tag", "v1", first)
    with pytest.raises(MissingData, match=f"d in {first[:10]}") as caught:
        collect(bench, KeepRules(all_tags=True))
    assert "--allow-missing" in str(caught.value.hint)
    assert collect(bench, KeepRules(all_tags=True), allow_missing=True).plan.is_empty
    assert comes_back(bench, second)


def test_nothing_that_a_rule_selects_goes(bench: Workbench) -> None:
    commits = [version(bench, number) for number in range(4)]
    bench.git("tag", "v0", commits[0])
    bench.git("branch", "b1", commits[1])
    rules = KeepRules(all_tags=True, all_branches=True)
    result = collect(bench, rules)
    assert {each.commit for each in result.objects} == {commits[2]}
    assert all(comes_back(bench, commit) for commit in (commits[0], commits[1], commits[3]))
    assert not comes_back(bench, commits[2])


def test_without_rules_it_refuses(bench: Workbench) -> None:
    with pytest.raises(UsageError) as caught:
        gc(bench.project, GcRequest())
    assert "dvtool gc --workspace" in str(caught.value.hint)


def test_the_dry_run_is_the_real_run(bench: Workbench) -> None:
    version(bench, 1)
    version(bench, 2)
    before = digests(bench)
    tree = tree_of(bench.root / ".git" / "dvtool" / "cache", without=frozenset((b"lock",)))
    dry = collect(bench, dry_run=True)
    assert tree_of(bench.root / ".git" / "dvtool" / "cache", without=frozenset((b"lock",))) == tree
    assert digests(bench) == before
    wet = collect(bench)
    assert (dry.plan, list(dry.objects), dry.bytes_freed) == (wet.plan, list(wet.objects), wet.bytes_freed)
    assert (dry.done, wet.done) == (False, True)


def test_what_is_young_stays(bench: Workbench) -> None:
    version(bench, 1)
    version(bench, 2)
    result = collect(bench, grace=None, now=time.time())
    assert result.plan.is_empty
    assert result.plan.young_objects == 12
    assert collect(bench, grace=None, now=time.time() + 2 * 86_400).plan.objects == 12


def test_saying_no_leaves_everything(bench: Workbench) -> None:
    version(bench, 1)
    version(bench, 2)
    before = digests(bench)
    seen: list[GcResult] = []

    def answer(result: GcResult) -> bool:
        seen.append(result)
        return False

    assert gc(bench.project, ALL, confirm=answer).done is False
    assert digests(bench) == before
    assert gc(bench.project, ALL, confirm=lambda result: result == seen[0]).done


def test_a_change_while_the_question_stands_stops(bench: Workbench) -> None:
    version(bench, 1)
    version(bench, 2)

    def answer(_: GcResult) -> bool:
        version(bench, 3)
        return True

    with pytest.raises(DvtoolError, match="since the plan was shown"):
        gc(bench.project, ALL, confirm=answer)


def test_stashes_and_the_index_are_kept(bench: Workbench) -> None:
    version(bench, 1)
    bench.create({"big": "stashed" * 50_000})
    bench.add("big")
    bench.git("stash", "-q")
    bench.create({"big": "staged" * 50_000})
    bench.add("big")
    bench.git("add", "-A")
    bench.git("restore", "big.dvt")
    bench.git("show", "HEAD:big.dvt")
    assert collect(bench).plan.is_empty
    bench.git("reset", "-q", "--hard")
    bench.git("stash", "drop", "-q")
    assert len(collect(bench).objects) == 2


def test_linked_worktrees_are_kept(bench: Workbench, tmp_path: Path) -> None:
    first = version(bench, 1)
    bench.git("worktree", "add", "-q", "--detach", str(tmp_path / "other"))
    version(bench, 2)
    assert collect(bench).plan.is_empty
    shutil.rmtree(tmp_path / "other")
    with pytest.raises(MissingData, match="linked worktree"):
        collect(bench)
    bench.git("worktree", "prune")
    assert {each.commit for each in collect(bench).objects} == {first}


def _empty_pointer(bench: Workbench) -> None:
    (bench.root / "big.dvt").write_bytes(b"")


def _torn_pointer(bench: Workbench) -> None:
    text = (bench.root / "big.dvt").read_bytes()
    (bench.root / "big.dvt").write_bytes(text[: len(text) // 2])


def _bad_root_file(bench: Workbench) -> None:
    folder = bench.root / ".git" / "dvtool" / "cache" / "roots"
    folder.mkdir()
    (folder / ("ab" * 16)).write_bytes(b"")


def _bad_index(bench: Workbench) -> None:
    (bench.root / ".git" / "index").write_bytes(b"DIRC")


def _lost_commit(bench: Workbench) -> None:
    head = bench.git("rev-parse", "HEAD").strip()
    shutil.rmtree(bench.root / ".git" / "objects" / head[:2])


def _lost_page(bench: Workbench) -> None:
    for pack in (bench.root / ".git" / "dvtool" / "cache" / "meta").rglob("*/*"):
        pack.unlink()


def _damaged_page(bench: Workbench) -> None:
    for pack in (bench.root / ".git" / "dvtool" / "cache" / "meta").rglob("*/*"):
        data = bytearray(pack.read_bytes())
        data[70] ^= 1
        pack.chmod(0o644)
        pack.write_bytes(data)


@pytest.mark.parametrize(
    "spoil", [_empty_pointer, _torn_pointer, _bad_root_file, _bad_index, _lost_commit, _lost_page, _damaged_page]
)
def test_any_doubt_stops(bench: Workbench, spoil: Callable[[Workbench], None]) -> None:
    version(bench, 1)
    version(bench, 2)
    spoil(bench)
    data = tree_of(bench.root / ".git" / "dvtool" / "cache", without=frozenset((b"lock", b"tmp")))
    for request in (ALL, replace(ALL, trash=False), replace(ALL, dry_run=True)):
        with pytest.raises(DvtoolError) as caught:
            gc(bench.project, request)
        assert caught.value.message
    assert tree_of(bench.root / ".git" / "dvtool" / "cache", without=frozenset((b"lock", b"tmp"))) == data


def test_a_listing_that_is_not_here_is_fetched(bench: Workbench, tmp_path: Path) -> None:
    from dvtool.api.push import PushRequest
    from dvtool.api.push import push

    bench.settings |= {"remote.r.url": str(tmp_path / "remote"), "core.remote": "r"}
    version(bench, 1)
    second = version(bench, 2)
    push(bench.project, PushRequest(now=time.time()))
    _lost_page(bench)
    result = collect(bench)
    assert {each.kind for each in result.objects} == {"file"}
    assert comes_back(bench, second)


def test_a_full_disk_leads_to_no_trash(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    version(bench, 1)
    version(bench, 2)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), b"trash")

    monkeypatch.setattr("dvtool.api.gc.new_run", full)
    monkeypatch.setattr("dvtool.api.gc.free_bytes", lambda _: 0)
    before = digests(bench)
    with pytest.raises(StorageError) as caught:
        collect(bench)
    assert "--no-trash" in str(caught.value.hint)
    assert digests(bench) == before
    result = collect(bench, trash=False)
    assert (result.plan.lacks_room, result.done) == (True, True)
    assert [view.dead_objects for view in result.plan.whole] == [1], "the listing that nothing else shares a pack with"


def test_it_waits_for_writers_and_says_for_whom(bench: Workbench) -> None:
    version(bench, 1)
    version(bench, 2)
    project = bench.project
    hurried = replace(project, environment=replace(project.environment, waiting=Waiting(0.0)))
    with bench.cache.lock.acquire(shared=True, what="dvtool add") as lock:
        lock.leave_note("dvtool add")
        with pytest.raises(Locked, match="dvtool add"):
            gc(hurried, ALL)
    with (
        FileLock(os.path.join(project.layout.state_dir, b"lock")).acquire(shared=False, what="dvtool move"),
        pytest.raises(Locked, match="dvtool move"),
    ):
        gc(hurried, ALL)
    assert gc(hurried, ALL).done


def test_it_waits_for_commands_in_linked_worktrees(bench: Workbench, tmp_path: Path) -> None:
    version(bench, 1)
    bench.git("worktree", "add", "-q", "--detach", str(tmp_path / "other"))
    other = bench.root / ".git" / "worktrees" / "other" / "dvtool"
    other.mkdir()
    project = bench.project
    hurried = replace(project, environment=replace(project.environment, waiting=Waiting(0.0)))
    with (
        FileLock(os.fsencode(other / "lock")).acquire(shared=False, what="dvtool add"),
        pytest.raises(Locked, match="dvtool add"),
    ):
        gc(hurried, ALL)
    assert gc(hurried, ALL).done


def test_the_trash_holds_it_until_it_expires(bench: Workbench) -> None:
    first = version(bench, 1)
    version(bench, 2)
    result = collect(bench)
    [run] = trash.list_runs(bench.cache)
    assert (run.run.id, run.run.bytes) == (result.run_id, result.bytes_freed)
    assert last_operation(bench).trash == (result.run_id,)
    trash.put_back(bench.cache, result.run_id)
    assert comes_back(bench, first)
    bench.git("checkout", "-q", "-f", "-")
    again = collect(bench)
    late = collect(bench, now=ALL.now + 15 * 86_400)
    assert [each.run.id for each in late.expired] == [again.run_id]
    assert trash.list_runs(bench.cache) == []


def test_no_trash_deletes_at_once_and_empties_it(bench: Workbench) -> None:
    for number in range(3):
        version(bench, number)
    collect(bench, KeepRules(last=2))
    assert len(trash.list_runs(bench.cache)) == 1
    result = collect(bench, trash=False)
    assert result.done
    assert (result.run_id, len(result.expired)) == ("", 1)
    assert trash.list_runs(bench.cache) == []
    assert last_operation(bench).lasting


def test_a_file_that_only_the_cache_and_the_trash_of_a_workspace_have(bench: Workbench) -> None:
    bench.create({"big": "mine" * 100_000})
    bench.add("big")
    (bench.root / "big.dvt").unlink()
    result = collect(bench)
    assert [(each.path, each.commit) for each in result.objects] == [(b"", "")], "no commit has named it"


def test_an_unchanged_tree_after_all(bench: Workbench) -> None:
    version(bench, 1)
    before = tree_of(bench.root)
    collect(bench)
    assert_tree(bench.root, before)
    assert not bench.changes()


def test_without_git(tmp_path: Path) -> None:
    from dvtool.project.environment import Environment
    from dvtool.project.init import init_project

    plain = tmp_path / "plain"
    plain.mkdir()
    environment = Environment(dict(os.environ), os.fsencode(tmp_path), os.fsencode(plain))
    init_project(b".", environment, no_scm=True)
    bench = object.__new__(Workbench)
    bench.root, bench.settings = plain, {}
    for number in range(2):
        bench.create({"big": f"{number}" * 200_000})
        bench.add("big")
    assert open_project(b".", environment).git is None
    assert len(collect(bench).objects) == 1
    with pytest.raises(UsageError, match="without Git"):
        collect(bench, KeepRules(all_tags=True))


def test_a_damaged_pack_that_is_partly_needed_stops(bench: Workbench) -> None:
    version(bench, 1)
    version(bench, 2)
    [first, *_] = sorted(
        (bench.root / ".git" / "dvtool" / "cache" / "data").rglob("*/*"), key=lambda path: -path.stat().st_size
    )
    data = bytearray(first.read_bytes())
    data[100] ^= 1
    first.chmod(0o644)
    first.write_bytes(data)
    with pytest.raises(IntegrityError):
        collect(bench)

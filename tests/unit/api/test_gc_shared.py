"""gc on a cache that several workspaces share."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from dvtool.api.cachedir import set_cache_dir
from dvtool.api.fetch import FetchRequest
from dvtool.api.fetch import fetch
from dvtool.api.move import MoveRequest
from dvtool.api.move import move
from dvtool.api.push import PushRequest
from dvtool.api.push import push
from dvtool.disk.durable import write_file
from dvtool.errors import UnsafeInput
from dvtool.formats.records import Root
from dvtool.project.cacheroots import keep_in_shared_cache
from dvtool.project.parts import open_tracked
from dvtool.store.cache import Cache
from dvtool.store.cacheroots import keep_roots
from dvtool.store.cacheroots import roots_by_workspace
from tests.support.collecting import collect
from tests.support.collecting import comes_back
from tests.support.collecting import version
from tests.support.workbench import Workbench


def test_others_on_a_shared_cache_keep_theirs(tmp_path: Path) -> None:
    shared = {"cache.dir": str(tmp_path / "cache")}
    one, other = Workbench(tmp_path / "one", shared), Workbench(tmp_path / "other", shared)
    version(one, 1)
    version(other, 2)
    first = version(one, 3)
    assert {each.path for each in collect(one).objects if each.kind == "file"} == {
        b"big",
        *(b"d/f%d" % index for index in range(1, 20, 2)),
    }
    assert comes_back(other, "HEAD")
    assert collect(other).plan.is_empty, "what one has given up is gone, what it needs is known"
    assert comes_back(one, first)


def test_what_a_workspace_needs_is_noted_before_its_lock_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Workbench(tmp_path / "one", {"cache.dir": str(tmp_path / "cache")})
    locked: list[bool] = []

    def watched(cache: Cache, workspace: str, repository: str, roots: Iterable[Root]) -> None:
        locked.append(cache.lock.held > 0)
        keep_roots(cache, workspace, repository, roots)

    monkeypatch.setattr("dvtool.project.cacheroots.keep_roots", watched)
    bench.create({"d": {"a": "1", "b": "2"}, "e": {"c": "3"}})
    bench.add("d", "e")
    move(bench.project, MoveRequest(b"d/a", b"e/a"))
    assert locked == [True, True]


def test_a_copy_of_a_repository_is_another_workspace(tmp_path: Path) -> None:
    shared = {"cache.dir": str(tmp_path / "cache")}
    one = Workbench(tmp_path / "one", shared)
    version(one, 1)
    shutil.copytree(tmp_path / "one", tmp_path / "two", symlinks=True)
    two = object.__new__(Workbench)
    two.root, two.settings = tmp_path / "two", shared
    (two.root / "big").write_text("two" * 100_000)
    two.add("big")
    version(one, 2)
    collect(one)
    two.git("add", "-A")
    two.git("commit", "-q", "-m", "two")
    (two.root / "big").unlink()
    assert not two.checkout("big").missing


def test_a_cache_that_was_moved_to_where_others_are(tmp_path: Path) -> None:
    one = Workbench(tmp_path / "one")
    first, second = version(one, 1), version(one, 2)
    (tmp_path / "one" / ".git" / "dvtool" / "cache").rename(tmp_path / "cache")
    set_cache_dir(one.environment, str(tmp_path / "cache"))
    other = Workbench(tmp_path / "other", {"cache.dir": str(tmp_path / "cache")})
    version(other, 3)
    assert collect(other).plan.is_empty
    assert comes_back(one, first) and comes_back(one, second)
    assert {each.commit for each in collect(one).objects} == {first}


def test_the_own_cache_of_another_repository_is_left_alone(tmp_path: Path) -> None:
    owner = Workbench(tmp_path / "owner")
    version(owner, 1)
    guest = Workbench(tmp_path / "guest", {"cache.dir": str(tmp_path / "owner" / ".git" / "dvtool" / "cache")})
    version(guest, 2)
    with pytest.raises(UnsafeInput, match="own cache of another repository"):
        collect(guest)
    assert comes_back(owner, "HEAD")
    version(guest, 3)
    assert collect(owner).plan.is_empty, "the guest's root file only grows"


def test_what_was_fetched_is_kept_before_it_is_checked_out(tmp_path: Path) -> None:
    settings = {"cache.dir": str(tmp_path / "cache"), "remote.r.url": str(tmp_path / "remote"), "core.remote": "r"}
    one, other = Workbench(tmp_path / "one", settings), Workbench(tmp_path / "other", settings)
    version(one, 1)
    push(one.project, PushRequest(now=time.time()))
    for name in ("d.dvt", "big.dvt"):
        shutil.copy(one.root / name, other.root / name)
        (one.root / name).unlink()
        one.git("rm", "-q", "--cached", name)
    one.commit("without")
    shutil.rmtree(tmp_path / "cache")
    fetch(other.project, FetchRequest())
    collect(one)
    assert not other.checkout().missing


def test_two_commands_of_one_workspace_name_what_both_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Workbench(tmp_path / "one", {"cache.dir": str(tmp_path / "cache")})
    bench.create({"a": "1", "b": "2"})
    bench.add("a")
    started = threading.Event()

    def slow(path: bytes, data: bytes, *, durable: bool) -> None:
        if not started.is_set():
            started.set()
            other = threading.Thread(target=lambda: keep_in_shared_cache(bench.project, bench.cache, wanted[1:]))
            other.start()
            other.join(0.2)
            threads.append(other)
        write_file(path, data, durable=durable)

    threads: list[threading.Thread] = []
    bench.add("b")
    wanted = list(open_tracked(bench.project))
    shutil.rmtree(tmp_path / "cache" / "roots")
    monkeypatch.setattr("dvtool.project.named.named_roots", lambda _: iter(()))
    monkeypatch.setattr("dvtool.store.cacheroots.write_file", slow)
    keep_in_shared_cache(bench.project, bench.cache, wanted[:1])
    threads[0].join()
    [(_, record)] = roots_by_workspace(bench.cache)
    assert {root.oid for root in record.roots} == {item.pointer.digest.oid for item in wanted}

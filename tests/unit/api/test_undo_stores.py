"""Undo of what frees space, and of what `recover` makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvtool.api.drop import DropRequest
from dvtool.api.drop import drop
from dvtool.api.gc import GcRequest
from dvtool.api.gc import gc
from dvtool.api.push import PushRequest
from dvtool.api.push import push
from dvtool.api.recover import RecoverRequest
from dvtool.api.recover import recover
from dvtool.api.remote import RemoteAddRequest
from dvtool.api.remote import remote_add
from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.project.keeping import KeepRules
from dvtool.store.trash import list_runs
from tests.support.trees import tree_of
from tests.support.undoing import V1
from tests.support.undoing import ids
from tests.support.undoing import state
from tests.support.undoing import take_back
from tests.support.workbench import NOW
from tests.support.workbench import Workbench


def collect(bench: Workbench, *, trash: bool = True) -> None:
    gc(bench.project, GcRequest(KeepRules(), grace=0.0, trash=trash, now=NOW))


def with_old_version(bench: Workbench) -> None:
    bench.track({"data": {"a": "old"}})
    bench.create({"data": {"a": "new"}})
    bench.add("data")
    bench.commit("new")


def old_version_is_here(bench: Workbench) -> bool:
    bench.git("checkout", "-q", "HEAD~1")
    done = bench.checkout()
    bench.git("checkout", "-q", "-")
    bench.checkout()
    return not done.missing


def test_a_collection_is_taken_back_as_long_as_the_trash_has_it(bench: Workbench) -> None:
    with_old_version(bench)
    collect(bench)
    assert not old_version_is_here(bench)
    collected = next(number for number, verb in ids(bench) if verb == "gc")
    take_back(bench, collected - 1)
    assert old_version_is_here(bench)
    assert list_runs(bench.cache) == []


def test_a_collection_past_the_trash_says_that_it_stays(bench: Workbench) -> None:
    with_old_version(bench)
    collect(bench, trash=False)
    with pytest.raises(DvtoolError, match="is not undone: what it took was deleted at once"):
        take_back(bench)


def test_a_collection_that_left_the_trash_is_refused(bench: Workbench) -> None:
    with_old_version(bench)
    collect(bench)
    gc(bench.project, GcRequest(KeepRules(), grace=0.0, now=NOW + 40 * 86_400))
    with pytest.raises(MissingData, match="has left the trash"):
        take_back(bench)


def test_the_undo_of_a_collection_is_not_undone(bench: Workbench) -> None:
    with_old_version(bench)
    collect(bench)
    take_back(bench)
    with pytest.raises(DvtoolError, match="`dvtool gc` collects it again"):
        take_back(bench)


@pytest.mark.parametrize("target", ["data", "data/in"])
def test_a_drop_is_fetched_again(bench: Workbench, tmp_path: Path, target: str) -> None:
    remote_add(bench.environment, RemoteAddRequest("origin", str(tmp_path / "remote"), default=True))
    bench.track({"data": V1})
    push(bench.project, PushRequest(now=NOW))
    before = state(bench)
    drop(bench.project, DropRequest((target.encode(),), now=NOW))
    assert not (bench.root / "data/in/b").exists()
    take_back(bench)
    assert state(bench) == before


def test_what_recover_made_goes_again_unless_it_was_changed(bench: Workbench) -> None:
    bench.track({"data": V1})
    bench.create({"data": {"a.csv": "my own"}})
    bench.checkout(force=True)
    before = state(bench)
    recover(bench.project, RecoverRequest(b"data/a.csv", b"mine.csv"))
    assert (bench.root / "mine.csv").read_text() == "my own"
    take_back(bench)
    assert state(bench) == before
    take_back(bench)
    (bench.root / "mine.csv").write_text("worked on")
    with pytest.raises(DvtoolError, match=r"mine\.csv \(changed since\)"):
        take_back(bench)


def test_what_recover_made_elsewhere_stays(bench: Workbench, tmp_path: Path) -> None:
    bench.track({"data": V1})
    bench.create({"data": {"a.csv": "my own"}})
    bench.checkout(force=True)
    recover(bench.project, RecoverRequest(into=bytes(tmp_path / "found")))
    with pytest.raises(DvtoolError, match="restored outside of the project stays"):
        take_back(bench)
    assert tree_of(tmp_path / "found")

"""Every changing verb there and back: workspace, pointers, ignore files and settings as they were before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from dvtool.api.cachedir import set_cache_dir
from dvtool.api.checkout import CheckoutRequest
from dvtool.api.commit import CommitRequest
from dvtool.api.commit import commit
from dvtool.api.config import config_set
from dvtool.api.config import config_unset
from dvtool.api.fetch import FetchRequest
from dvtool.api.move import MoveRequest
from dvtool.api.move import move
from dvtool.api.pull import PullRequest
from dvtool.api.pull import pull
from dvtool.api.push import PushRequest
from dvtool.api.push import push
from dvtool.api.remote import RemoteAddRequest
from dvtool.api.remote import remote_add
from dvtool.api.remote import remote_modify
from dvtool.api.remote import remote_remove
from dvtool.api.remote import remote_rename
from dvtool.api.remote import remote_set_default
from dvtool.api.remove import RemoveRequest
from dvtool.api.remove import remove
from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import UsageError
from dvtool.project.config import Level
from dvtool.workspace.kept import Kept
from tests.support.trees import Executable
from tests.support.undoing import V1
from tests.support.undoing import git_switch
from tests.support.undoing import ids
from tests.support.undoing import state
from tests.support.undoing import take_back
from tests.support.workbench import NOW
from tests.support.workbench import Workbench


def edit_and_add(bench: Workbench) -> None:
    (bench.root / "data/a.csv").write_text("edited")
    bench.add("data")


def new_add(bench: Workbench) -> None:
    bench.create({"sub": {"new": {"x": "1"}}})
    bench.add("sub/new")


def add_in_exclude(bench: Workbench) -> None:
    bench.settings["core.ignore"] = "exclude"
    bench.create({"new": "1"})
    bench.add("new")


def add_a_part(bench: Workbench) -> None:
    bench.create({"data": {"in": {"c": "three"}}})
    bench.add("data/in/c")


def do_commit(bench: Workbench) -> None:
    (bench.root / "data/a.csv").write_text("edited")
    (bench.root / "data/in/b").unlink()
    commit(bench.project, CommitRequest())


ADDS = [edit_and_add, new_add, add_in_exclude, add_a_part, do_commit]


@pytest.mark.parametrize("act", ADDS)
def test_an_add_is_taken_back_and_the_data_stays_as_it_stands(
    bench: Workbench, act: Callable[[Workbench], None]
) -> None:
    bench.track({"data": V1, "file": "f"})
    before = state(bench)
    act(bench)
    after = state(bench)
    assert after != before
    done = take_back(bench)
    now = state(bench)
    assert done.steps[0].id is not None
    assert (now["bases"], now["exclude"]) == (before["bases"], before["exclude"])
    pointers = [b"data.dvt", b"file.dvt", b".gitignore"]
    assert {name: now["worktree"].get(name) for name in pointers} == {
        name: before["worktree"].get(name) for name in pointers
    }
    assert {name: node for name, node in now["worktree"].items() if name not in (*pointers, b"sub", b"new.dvt")} == {
        name: node for name, node in after["worktree"].items() if name not in (*pointers, b"sub", b"new.dvt")
    }
    assert not (bench.root / "sub/new.dvt").exists()
    assert not (bench.root / "sub/.gitignore").exists()
    assert not (bench.root / "new.dvt").exists()
    take_back(bench)
    assert state(bench) == after


def plain_checkout(bench: Workbench) -> None:
    bench.checkout()


def checkout_of_a_part(bench: Workbench) -> None:
    bench.checkout("data/a.csv")


def checkout_over_deleted_files(bench: Workbench) -> None:
    (bench.root / "data/run").unlink()
    bench.checkout("data")


def checkout_beside_untracked_files(bench: Workbench) -> None:
    bench.create({"data": {"mine": "untracked", "in": {"too": "untracked"}}})
    bench.checkout()


def forced_checkout(bench: Workbench) -> None:
    bench.create({"data": {"a.csv": "my own", "run": Executable("my own")}, "file": "my own"})
    bench.checkout(force=True)


CHECKOUTS = [
    plain_checkout,
    checkout_of_a_part,
    checkout_over_deleted_files,
    checkout_beside_untracked_files,
    forced_checkout,
]


@pytest.mark.parametrize("act", CHECKOUTS)
def test_a_checkout_is_taken_back(
    bench: Workbench, act: Callable[[Workbench], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.track({"data": V1, "file": "f"})
    git_switch(bench)
    found: list[Any] = []

    def look_then_run(*targets: str, force: bool = False) -> None:
        found.append(state(bench))
        Workbench.checkout(bench, *targets, force=force)

    monkeypatch.setattr(bench, "checkout", look_then_run)
    act(bench)
    after = state(bench)
    take_back(bench)
    assert state(bench) == found[0]
    take_back(bench)
    assert state(bench) == after


def test_a_first_checkout_is_taken_back(bench: Workbench) -> None:
    bench.track({"data": V1, "file": "f"})
    before = state(bench)
    for name in ("data", "file"):
        bench.git("clean", "-fdxq", name)
    os.unlink(bench.root / ".git/dvtool/memo.sqlite")
    cleared = state(bench)
    bench.checkout()
    take_back(bench)
    assert state(bench) == cleared
    take_back(bench)
    assert state(bench) == before


def test_without_a_memo_a_checkout_is_taken_back(bench: Workbench) -> None:
    bench.track({"data": V1, "file": "f"})
    git_switch(bench)
    os.unlink(bench.root / ".git/dvtool/memo.sqlite")
    before = state(bench)["worktree"]
    bench.checkout()
    assert state(bench)["worktree"] != before
    take_back(bench)
    assert state(bench)["worktree"] == before


def test_what_another_revision_does_not_track_comes_back(bench: Workbench) -> None:
    bench.track({"data": V1})
    bench.track({"later": {"x": "1"}, "one": "2"})
    bench.git("checkout", "-q", "HEAD~1")
    before = state(bench)
    bench.checkout()
    assert not (bench.root / "later").exists()
    take_back(bench)
    assert state(bench) == before


def run_remove(bench: Workbench, *, outs: bool, force: bool = False) -> None:
    remove(bench.project, RemoveRequest((b"data", b"file"), outs=outs, force=force, now=NOW))


@pytest.mark.parametrize("autostage", ["true", "false"])
@pytest.mark.parametrize("how", ["pointers", "data", "changed data"])
def test_a_remove_is_taken_back(bench: Workbench, how: str, autostage: str) -> None:
    bench.track({"data": V1, "file": "f"})
    bench.settings["core.autostage"] = autostage
    if how == "changed data":
        bench.create({"data": {"a.csv": "my own", "mine": "untracked"}})
    before, index = state(bench), bench.git("ls-files", "-s")
    run_remove(bench, outs=how != "pointers", force=how == "changed data")
    after = state(bench)
    take_back(bench)
    assert state(bench) == before
    assert bench.git("ls-files", "-s") == index
    take_back(bench)
    assert state(bench) == after


MOVES = [("data", "sub/deep/moved"), ("file", "moved"), ("data/in", "data/out"), ("data/a.csv", "top.csv")]


@pytest.mark.parametrize(("source", "target"), MOVES)
def test_a_move_is_taken_back(bench: Workbench, source: str, target: str) -> None:
    bench.track({"data": V1, "file": "f"})
    bench.create({"data": {"a.csv": "my own"}})
    before = state(bench)
    move(bench.project, MoveRequest(os.fsencode(source), os.fsencode(target)))
    after = state(bench)
    take_back(bench)
    assert state(bench) == before
    take_back(bench)
    assert state(bench) == after


SETTINGS: list[Callable[[Workbench], object]] = [
    lambda bench: config_set(bench.environment, "core.autostage", "true"),
    lambda bench: config_set(bench.environment, "core.ignore", "exclude", Level.LOCAL),
    lambda bench: config_unset(bench.environment, "core.remote"),
    lambda bench: remote_add(bench.environment, RemoteAddRequest("new", "/tmp/new", default=True)),
    lambda bench: remote_add(bench.environment, RemoteAddRequest("new", "/tmp/new", Level.LOCAL)),
    lambda bench: remote_modify(bench.environment, "origin", "url", "/tmp/elsewhere"),
    lambda bench: remote_remove(bench.environment, "origin"),
    lambda bench: remote_rename(bench.environment, "origin", "other"),
    lambda bench: remote_set_default(bench.environment, None),
    lambda bench: set_cache_dir(bench.environment, str(bench.root.parent / "cache")),
]


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_settings_are_taken_back(bench: Workbench, number: int) -> None:
    remote_add(bench.environment, RemoteAddRequest("origin", "/tmp/origin", default=True))
    config_set(bench.environment, "remote.origin.jobs", "2", Level.LOCAL)
    before = state(bench)
    SETTINGS[number](bench)
    after = state(bench)
    assert after != before
    take_back(bench)
    assert state(bench) == before
    take_back(bench)
    assert state(bench) == after


def test_an_init_is_taken_back(bench: Workbench) -> None:
    take_back(bench)
    assert not (bench.root / ".dvtool").exists()
    assert not (bench.root / ".dvtoolignore").exists()


def test_a_pull_is_taken_back(bench: Workbench, tmp_path: Any) -> None:
    remote_add(bench.environment, RemoteAddRequest("origin", str(tmp_path / "remote"), default=True))
    bench.track({"data": V1, "file": "f"})
    push(bench.project, PushRequest(now=NOW))
    bench.git("clone", "-q", ".", str(tmp_path / "clone"))
    clone = Workbench.__new__(Workbench)
    clone.root, clone.settings = tmp_path / "clone", {}
    before = state(clone)
    pull(clone.project, PullRequest(FetchRequest(), CheckoutRequest(now=NOW)))
    assert ids(clone) == [(1, "pull")]
    take_back(clone)
    assert state(clone) == before


def test_a_command_that_changes_nothing_leaves_no_record(bench: Workbench) -> None:
    bench.track({"data": V1, "file": "f"})
    known = ids(bench)
    bench.add("data", "file")
    bench.checkout()
    commit(bench.project, CommitRequest())
    bench.status()
    assert ids(bench) == known == [(1, "init"), (2, "add")]


def test_a_push_is_not_undone_and_stands_in_the_way_of_a_plain_undo(bench: Workbench, tmp_path: Any) -> None:
    remote_add(bench.environment, RemoteAddRequest("origin", str(tmp_path / "remote"), default=True))
    bench.create({"data": V1})
    before = state(bench)
    bench.add("data")
    push(bench.project, PushRequest(now=NOW))
    push(bench.project, PushRequest(now=NOW))
    assert ids(bench)[2:] == [(3, "add"), (4, "push")]
    with pytest.raises(DvtoolError) as caught:
        take_back(bench)
    assert caught.value.message == ("operation 4 (push to origin) is not undone: what was uploaded stays on the remote")
    assert caught.value.hint == "to step over it and take back 3 (add data): dvtool undo --to 2"
    done = take_back(bench, 2)
    assert [view.id for view, _ in done.passed] == [4]
    assert state(bench) == before


def test_undo_to_goes_back_over_several_operations_at_once(bench: Workbench) -> None:
    bench.track({"data": V1, "file": "f"})
    before = state(bench)
    git_switch(bench)
    git_pointers = state(bench)
    bench.checkout()
    config_set(bench.environment, "core.autostage", "true")
    move(bench.project, MoveRequest(b"file", b"moved"))
    bench.checkout("data")
    remove(bench.project, RemoveRequest((b"data",), outs=True, now=NOW))
    last = state(bench)
    newest = ids(bench)[-1][0]
    add = next(number for number, verb in reversed(ids(bench)) if verb == "add")
    done = take_back(bench, add)
    assert state(bench) == git_pointers
    assert [[view.verb for view in step.operations] for step in done.steps] == [
        ["remove"],
        ["move"],
        ["config", "checkout"],
    ]
    take_back(bench, newest)
    assert state(bench) == last
    assert before != last


def test_what_was_changed_since_is_kept_and_stops_all_of_it(bench: Workbench) -> None:
    bench.track({"data": V1, "file": "f"})
    git_switch(bench)
    bench.checkout()
    (bench.root / "data/a.csv").write_text("my own work")
    before = state(bench)
    with pytest.raises(DvtoolError, match=r"data/a\.csv \(changed since\)"):
        take_back(bench)
    assert state(bench) == before
    done = take_back(bench, force=True)
    assert done.replaced_kept == (b"data/a.csv",)
    assert (bench.root / "data/a.csv").read_text() == "two"
    assert [kept.path for kept in Kept(bench.project.layout.state_dir).read()] == [b"data/a.csv"]
    take_back(bench)
    assert state(bench) == before


def test_changes_that_the_operation_did_not_touch_stay(bench: Workbench) -> None:
    bench.track({"data": V1, "file": "f"})
    git_switch(bench)
    bench.checkout()
    bench.create({"data": {"run": "my own", "mine": "untracked"}})
    take_back(bench)
    assert (bench.root / "data/a.csv").read_text() == "two"
    assert (bench.root / "data/run").read_text() == "my own"
    assert (bench.root / "data/mine").read_text() == "untracked"


def test_a_pointer_that_git_changed_since_is_not_overwritten(bench: Workbench) -> None:
    bench.track({"data": V1})
    edit_and_add(bench)
    bench.commit("v2")
    bench.git("checkout", "-q", "HEAD~1")
    before = state(bench)
    assert before["worktree"][b"data.dvt"] != b""
    # What Git brought is what stood there before the add: there is nothing left to take back.
    assert take_back(bench).steps[0].files == ()
    (bench.root / "data.dvt").write_text((bench.root / "data.dvt").read_text() + "# a note\n")
    with pytest.raises(DvtoolError, match=r"data\.dvt \(changed since\)"):
        take_back(bench, 2)


def test_lines_that_others_added_to_an_ignore_file_stay(bench: Workbench) -> None:
    bench.create({"one": "1", "two": "2"})
    bench.add("one")
    with (bench.root / ".gitignore").open("a") as file:
        file.write("*.tmp\n")
    take_back(bench)
    assert (bench.root / ".gitignore").read_text() == "*.tmp\n"


def test_missing_bytes_are_named_and_nothing_is_changed(bench: Workbench) -> None:
    big = os.urandom(200_000)
    bench.track({"data": {"big": big, "small": "1"}, "file": "f"})
    bench.create({"data": {"big": b"other", "small": "2"}})
    bench.add("data")
    bench.commit("v2")
    bench.git("checkout", "-q", "HEAD~1")
    bench.checkout()
    bench.git("checkout", "-q", "-")
    bench.checkout()
    before = state(bench)
    for path in (bench.root / ".git/dvtool/cache/objects").rglob("*"):
        if path.is_file():
            path.unlink()
    with pytest.raises(MissingData, match=r"data/big \(blake3:[0-9a-f]{12}\)"):
        take_back(bench)
    assert state(bench) == before


def test_missing_listings_are_named_and_nothing_is_changed(bench: Workbench) -> None:
    bench.track({"data": V1, "file": "f"})
    git_switch(bench)
    bench.checkout()
    before = state(bench)
    for path in (bench.root / ".git/dvtool/cache/meta").rglob("*"):
        if path.is_file():
            path.unlink()
    shutil.rmtree(bench.root / ".git/dvtool/cache/index")
    with pytest.raises(MissingData, match=r"a listing that .* had is needed"):
        take_back(bench)
    assert state(bench)["worktree"] == before["worktree"]


def test_a_dry_run_changes_nothing(bench: Workbench) -> None:
    bench.track({"data": V1})
    git_switch(bench)
    bench.checkout()
    before, known = state(bench), ids(bench)
    done = take_back(bench, dry_run=True)
    assert (done.is_dry, len(done.steps), state(bench), ids(bench)) == (True, 1, before, known)


def test_there_is_nothing_behind_the_first_operation(bench: Workbench) -> None:
    with pytest.raises(UsageError, match="no operation 7"):
        take_back(bench, 7)
    with pytest.raises(UsageError, match="nothing was changed since operation 1"):
        take_back(bench, 1)

"""Commands and undos that are killed at any step: the undo brings back what stood there before."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dvtool.api.move import MoveRequest
from dvtool.api.move import move
from dvtool.api.oplog import OpLogRequest
from dvtool.api.oplog import op_log
from dvtool.api.remove import RemoveRequest
from dvtool.api.remove import remove
from dvtool.disk import _native
from tests.support.undoing import V1
from tests.support.undoing import git_switch
from tests.support.undoing import ids
from tests.support.undoing import state
from tests.support.undoing import take_back
from tests.support.workbench import NOW
from tests.support.workbench import Workbench

STRIDE = 3
"""Every third step; all of them, and all other faults, are swept by the torture run."""
STEPS = ("rename", "replace", "unlink", "link", "mkdir", "rmdir", "symlink", "fsync")


def killed(act: Callable[[Workbench], object], bench: Workbench, at: int) -> bool:
    """Run *act* in a child that dies before its step number *at*; False when it needed fewer."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _die_at(at)
            act(bench)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), code
    return code == 9


def _die_at(at: int) -> None:
    left = at

    def counting(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                os._exit(9)
            return real(*args, **kwargs)

        return call

    for name in STEPS:
        setattr(os, name, counting(getattr(os, name)))
    _native.renameat2 = counting(_native.renameat2)


def add_v2(bench: Workbench) -> None:
    bench.create({"data": {"a.csv": "edited"}, "sub": {"new": "1"}})
    bench.add("data", "sub/new")


def switch(bench: Workbench) -> None:
    bench.checkout()


def force(bench: Workbench) -> None:
    bench.checkout(force=True)


def remove_all(bench: Workbench) -> None:
    remove(bench.project, RemoveRequest((b"data", b"file"), outs=True, now=NOW))


def move_away(bench: Workbench) -> None:
    move(bench.project, MoveRequest(b"data", b"sub/moved"))


def nothing(_bench: Workbench) -> None:
    pass


def own_changes(bench: Workbench) -> None:
    git_switch(bench)
    bench.create({"data": {"a.csv": "my own", "mine": "untracked"}, "file": "my own"})


CASES = {
    "add": (nothing, add_v2),
    "checkout": (git_switch, switch),
    "forced": (own_changes, force),
    "remove": (nothing, remove_all),
    "move": (nothing, move_away),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, bench: Workbench) -> tuple[Workbench, Callable[[Workbench], None]]:
    prepare, act = CASES[request.param]
    bench.track({"data": V1, "file": "f"})
    prepare(bench)
    return bench, act


def copy_of(bench: Workbench, place: Path) -> Workbench:
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(bench.root, place, symlinks=True)
    copy = Workbench.__new__(Workbench)
    copy.root, copy.settings = place, dict(bench.settings)
    return copy


def users_view(bench: Workbench) -> dict[str, Any]:
    """What `add` leaves in the worktree is the user's; the rest must be as it was."""
    found = state(bench)
    return {name: found[name] for name in ("worktree", "exclude", "changes")}


def test_an_undo_that_was_killed_is_completed_by_the_next(
    case: tuple[Workbench, Callable[[Workbench], None]], tmp_path: Path
) -> None:
    bench, act = case
    act(bench)
    forward = state(bench)
    done = copy_of(bench, tmp_path / "done")
    take_back(done)
    wanted, log = state(done), ids(done)
    at = 0
    while True:
        copy = copy_of(bench, tmp_path / "copy")
        if not killed(take_back, copy, at):
            break
        take_back(copy)
        assert (state(copy), ids(copy)) == (wanted, log), at
        if at % 4 == 0:
            take_back(copy)
            assert state(copy) == forward, at
        at += STRIDE
    assert at > 5


def test_what_a_killed_command_did_is_taken_back(
    case: tuple[Workbench, Callable[[Workbench], None]], tmp_path: Path
) -> None:
    bench, act = case
    if act is add_v2:
        bench.create({"data": {"a.csv": "edited"}, "sub": {"new": "1"}})
    before = users_view(bench)
    known = len(op_log(bench.project, OpLogRequest()))
    at = noted = 0
    while True:
        copy = copy_of(bench, tmp_path / "copy")
        if not killed(act, copy, at):
            break
        at += STRIDE
        log = op_log(copy.project, OpLogRequest())
        if len(log) == known:
            assert users_view(copy) == before, at
            continue
        noted += log[0].state == "not finished"
        take_back(copy)
        assert users_view(copy) == before, at
    assert noted > 1

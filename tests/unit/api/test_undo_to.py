"""Going to and fro between the states behind operations, and records that cannot be read."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from dvtool.api.config import config_set
from dvtool.api.move import MoveRequest
from dvtool.api.move import move
from dvtool.api.remote import RemoteAddRequest
from dvtool.api.remote import remote_add
from dvtool.api.remove import RemoveRequest
from dvtool.api.remove import remove
from dvtool.errors import DvtoolError
from tests.support.undoing import V1
from tests.support.undoing import git_switch
from tests.support.undoing import ids
from tests.support.undoing import state
from tests.support.undoing import take_back
from tests.support.workbench import NOW
from tests.support.workbench import Workbench

ACTS: list[Callable[[Workbench], object]] = [
    lambda bench: bench.checkout("data/a.csv"),
    lambda bench: bench.checkout(),
    lambda bench: config_set(bench.environment, "core.autostage", "true"),
    lambda bench: move(bench.project, MoveRequest(b"data/in", b"data/out/deep")),
    lambda bench: move(bench.project, MoveRequest(b"file", b"sub/moved")),
    lambda bench: remove(bench.project, RemoveRequest((b"data",), outs=True, now=NOW)),
    lambda bench: remote_add(bench.environment, RemoteAddRequest("origin", "/tmp/origin", default=True)),
    lambda bench: remove(bench.project, RemoveRequest((b"sub/moved",), now=NOW)),
]


def test_every_state_can_be_gone_to_from_every_other(bench: Workbench) -> None:
    bench.track({"data": V1, "file": "f"})
    git_switch(bench)
    states: dict[int, Any] = {ids(bench)[-1][0]: state(bench)}
    for act in ACTS:
        act(bench)
        states[ids(bench)[-1][0]] = state(bench)
    assert len(states) == len(ACTS) + 1
    order = list(states)
    random.Random(7).shuffle(order)
    for number in order:
        if state(bench) != states[number]:
            take_back(bench, number)
        assert state(bench) == states[number], number
        states[ids(bench)[-1][0]] = states[number]


def tear(bench: Workbench, number: int) -> None:
    path = os.path.join(bench.project.layout.state_dir, b"oplog", b"%08d.json" % number)
    os.truncate(path, 50)


def test_a_damaged_record_is_not_passed_in_silence(bench: Workbench) -> None:
    bench.track({"data": V1})
    config_set(bench.environment, "core.autostage", "true")
    tear(bench, 3)
    with pytest.raises(DvtoolError, match="operation 3 is not undone: its record is damaged") as caught:
        take_back(bench)
    assert caught.value.hint == "to step over it and take back 2 (add data): dvtool undo --to 1"
    done = take_back(bench, 1)
    assert [view.id for view, _ in done.passed] == [3]
    assert not (bench.root / "data.dvt").exists()
    assert "autostage" in (bench.root / ".dvtool/config").read_text()


def test_files_in_the_way_of_what_stood_there_stop_it(bench: Workbench) -> None:
    bench.track({"data": V1})
    remove(bench.project, RemoveRequest((b"data",), outs=True, now=NOW))
    bench.create({"data": {"a.csv": {"mine": "1"}, "in": "mine too"}})
    before = state(bench)
    with pytest.raises(DvtoolError, match=r"data/a\.csv/mine \(in the way of what stood there\)"):
        take_back(bench)
    assert state(bench) == before
    done = take_back(bench, force=True)
    assert done.errors == ()
    assert (bench.root / "data/a.csv").read_text() == "one"
    assert (bench.root / "data/in/b").read_text() == "two"
    assert sorted(done.replaced_kept) == [b"data/a.csv/mine", b"data/in"]
    take_back(bench)
    assert state(bench) == before


def test_a_move_back_waits_for_its_place(bench: Workbench) -> None:
    bench.track({"file": "f"})
    move(bench.project, MoveRequest(b"file", b"moved"))
    bench.create({"file": "another"})
    with pytest.raises(DvtoolError, match=r"file \(moved would go there\)"):
        take_back(bench, force=True)
    assert (bench.root / "file").read_text() == "another"
    (bench.root / "file").unlink()
    take_back(bench)
    assert (bench.root / "file").read_text() == "f"
    assert bench.changes() == set()


def test_a_changed_pointer_is_replaced_only_by_force(bench: Workbench) -> None:
    bench.track({"data": V1})
    (bench.root / "data/a.csv").write_text("edited")
    bench.add("data")
    pointer = bench.root / "data.dvt"
    noted = pointer.read_text() + "# a note\n"
    pointer.write_text(noted)
    with pytest.raises(DvtoolError, match=r"data\.dvt \(changed since\)"):
        take_back(bench)
    assert pointer.read_text() == noted
    take_back(bench, force=True)
    assert "# a note" not in pointer.read_text()
    take_back(bench)
    assert pointer.read_text() == noted

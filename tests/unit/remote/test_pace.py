from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from dvtool.errors import StorageError
from dvtool.remote.drivers.local import LocalRemote
from dvtool.remote.failures import TransientError
from dvtool.remote.pace import Pace
from dvtool.remote.paced import PacedRemote
from tests.support.faulty import Fault
from tests.support.faulty import FaultyRemote


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


class Line:
    """A remote as *pace* sees it: every request takes a second, and all together bring at most *most* at once."""

    def __init__(self, pace: Pace, clock: Clock, most: int) -> None:
        self._pace = pace
        self._clock = clock
        self._most = most

    def rounds(self, count: int) -> int:
        """So many rounds with all slots in use; the limit after them."""
        for _ in range(count):
            with ExitStack() as stack:
                slots = [stack.enter_context(self._pace.slot()) for _ in range(self._pace.limit)]
                self._clock.now += max(1.0, len(slots) / self._most)
                for tell in slots:
                    tell(1 << 20)
        return self._pace.limit


def test_it_grows_while_that_brings_more() -> None:
    clock = Clock()
    assert Line(Pace(4, 32, clock), clock, most=1000).rounds(60) == 32


def test_it_stays_near_what_the_remote_bears() -> None:
    clock = Clock()
    assert 4 < Line(Pace(4, 64, clock), clock, most=12).rounds(60) < 24


def test_work_that_needs_no_more_slots_gets_none() -> None:
    clock = Clock()
    pace = Pace(8, 32, clock)
    for _ in range(200):
        with pace.slot() as tell:
            clock.now += 1.0
            tell(1 << 20)
    assert pace.limit == 8


def test_overload_halves_it_once_for_all_that_fail_together() -> None:
    clock = Clock()
    pace = Pace(16, 32, clock)
    for _ in range(10):
        pace.overloaded()
    assert pace.limit == 8
    clock.now += 5
    pace.overloaded()
    assert pace.limit == 4
    for _ in range(9):
        clock.now += 5
        pace.overloaded()
    assert pace.limit == 1


def test_it_recovers_after_an_overload() -> None:
    clock = Clock()
    pace = Pace(16, 32, clock)
    pace.overloaded()
    assert Line(pace, clock, most=1000).rounds(100) > 16


def test_nobody_begins_before_the_time_that_the_server_named() -> None:
    clock = Clock()
    pace = Pace(4, 4, clock)
    order: list[str] = []

    def work() -> None:
        with pace.slot():
            order.append("entered")

    with pace.slot():
        pace.overloaded(1_000_000.0)
        thread = threading.Thread(target=work)
        thread.start()
        order.append("named time")
        clock.now += 121.0  # no server makes us wait for longer than two minutes
    thread.join(60)
    assert order == ["named time", "entered"]


def test_closing_sends_those_away_who_wait() -> None:
    pace = Pace(1, 1)
    told: list[Exception] = []

    def work() -> None:
        try:
            with pace.slot():
                pass
        except StorageError as error:
            told.append(error)

    with pace.slot():
        thread = threading.Thread(target=work)
        thread.start()
        pace.close()
        thread.join(60)
    assert len(told) == 1


@pytest.mark.parametrize(("overloaded", "limit"), [(True, 4), (False, 8)])
def test_only_an_overloaded_remote_is_asked_less(tmp_path: Path, overloaded: bool, limit: int) -> None:
    (tmp_path / "remote").mkdir()
    error = TransientError("busy", overloaded=overloaded)
    faulty = FaultyRemote(LocalRemote("o", os.fsencode(tmp_path / "remote")), Fault(1, error=error))
    pace = Pace(8, 8)
    with pytest.raises(TransientError):
        PacedRemote(faulty, pace).get("k")
    assert pace.limit == limit


def test_slots_that_are_new_go_to_those_who_wait() -> None:
    """One that is woken wakes the next."""
    pace = Pace(1, 8)
    together = threading.Barrier(5)

    def work(_: int) -> None:
        with pace.slot():
            together.wait(10)

    with ThreadPoolExecutor(5) as pool:
        with pace.slot():
            done = pool.map(work, range(5))
            while len(pace._changed._waiters) < 5:  # type: ignore[attr-defined]
                threading.Event().wait(0.01)
            pace.limit = 8
        assert list(done) == [None] * 5

"""One command, every change that it makes, one fault at each: what must hold afterwards."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from tests.faults.injector import KILL
from tests.faults.injector import NONE
from tests.faults.injector import Fault
from tests.faults.injector import Injector
from tests.faults.injector import Outcome
from tests.faults.verdict import Case
from tests.faults.verdict import Judge
from tests.faults.verdict import status_of
from tests.faults.verdict import unlawful
from tests.faults.world import World

# Read at import: the hermetic world removes every DVTOOL_ variable before the first test.
ASKED = os.environ.get("DVTOOL_SWEEP", "")
FULL_SWEEP = ASKED == "full"
POINTS = int(ASKED) if ASKED.isdigit() else 2
"""Faults of each kind that each command meets, about."""


@dataclass
class Tally:
    """What a sweep found. ``calls``: changes that the command makes; ``points``: runs; ``hit``: those that met it.

    ``left``: runs after which a file of dvtool's own stayed for good in the places where it keeps such.
    """

    case: str
    fault: str
    calls: int = 0
    points: int = 0
    hit: int = 0
    violations: list[str] = field(default_factory=list)
    left: int = 0

    def __str__(self) -> str:
        return f"{self.case} {self.fault}: {self.calls} calls, {self.points} points, {self.hit} hit, {self.left} left"


class Sweep:
    """One case in *folder*, prepared once; `run` for each fault. *link*: how files come from the cache.

    *full*: at every change, not some; *stride*: at every so many-th, where the command goes on after the fault.
    """

    def __init__(
        self,
        injector: Injector,
        folder: Path,
        case: Case,
        *,
        link: str = "copy",
        full: bool = FULL_SWEEP,
        stride: int = 1,
    ) -> None:
        self._case = case
        self._stride = stride
        self._full = full
        self._name = case.name if link == "copy" else f"{case.name}/{link}"
        self._world = world = World(folder / "world", injector, link)
        case.prepare(world)
        world.save()
        before = world.look()
        self._refresh()
        self._command()
        after = world.look()
        assert case.damaged or not before.cache.problems, before
        assert not (after.cache.problems or after.remote.problems), after
        self._judge = Judge(case, before, after, status_of(world))

    def run(self, fault: Fault) -> Tally:
        """Meet *fault* at about `POINTS` of the changes, spread evenly; at every one in a full sweep."""
        self._begin()
        calls = self._command(fault._replace(mode=NONE.mode)).count
        tally = Tally(self._name, fault.name, calls=calls)
        for at in _points(tally, full=self._full, stride=1 if fault.kills else self._stride):
            self._begin()
            met = self._meet(fault, at)
            tally.points += 1
            if met.fired:
                tally.hit += 1
                tally.violations += self._problems(fault, at, met, tally)
            elif self._full:
                break
        return tally

    def run_killed(self, rounds: int) -> Tally:
        """Run it until it was killed *rounds* times, wherever its threads happened to be."""
        self._begin()
        started = time.monotonic()
        self._command()
        longest = time.monotonic() - started
        tally = Tally(self._name, "killed at random")
        moments = random.Random(self._name)
        killed = KILL._replace(name=tally.fault)
        while tally.hit < rounds:
            self._begin()
            tally.points += 1
            seconds = moments.uniform(0.002, longest)
            met = self._world.injector.run(self._case.argv, self._world.place, below=self._world.path, seconds=seconds)
            if met.code == -9:
                tally.hit += 1
                tally.violations += self._problems(killed, tally.points, met, tally)
            elif met.code != 0:
                tally.violations.append(f"{self._name} {tally.points}: ended with {met.code}: {met.err}")
        return tally

    def _begin(self) -> None:
        self._world.restore()
        self._refresh()

    def _refresh(self) -> None:
        if self._case.warm:
            # Copied files carry new change times; the memo believes them once they are older than the clock's tick.
            time.sleep(0.03)
            self._world.dvtool("status")

    def _command(self, fault: Fault = NONE) -> Outcome:
        done = self._meet(fault, 0)
        assert done.code in self._case.ends and not unlawful(self._case, done), done
        return done

    def _meet(self, fault: Fault, at: int) -> Outcome:
        world = self._world
        return world.injector.run(self._case.argv, world.place, below=world.path, fault=fault, at=at)

    def _problems(self, fault: Fault, at: int, met: Outcome, tally: Tally) -> Iterator[str]:
        judge, world = self._judge, self._world
        where = f"{self._name} {fault.name} {at}: {met.call} {met.path.removeprefix(str(world.path))}"
        lenient = "/memo.sqlite" in met.path
        now = world.look()
        problems = [*judge.ending(fault, met), *judge.state(now, done=met.code == 0, memo_lost=lenient)]
        if self._case.once and judge.is_done(now):
            return (f"{where}: {problem}" for problem in problems)
        again = self._meet(NONE, 0)
        look = tally.hit % (2 if fault.kills else 4) == 0
        if again.code == 2 and self._case.refused and self._case.refused in again.err:
            return (f"{where}: {problem}" for problem in problems)
        problems += judge.retry(world, again, look_at_status=look, memo_lost=lenient)
        tally.left += bool(judge.strays)
        return (f"{where}: {problem}" for problem in problems)


def _points(tally: Tally, *, full: bool, stride: int) -> Iterable[int]:
    # Another offset for each case and fault, so that together they meet more kinds of calls.
    offset = sum(map(ord, tally.case + tally.fault))
    if full:
        # Worker threads make the number of calls vary a little: on until nothing is hit any more.
        return range(1 + offset % stride, 4 * tally.calls + 100, stride)
    step = max(1, tally.calls // POINTS)
    return range(1 + offset % step, tally.calls + 1, step)

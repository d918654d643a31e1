"""Which stages may be looked at and which may start: a state machine that knows neither clocks nor processes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from heapq import heapify
from heapq import heappop
from heapq import heappush

_AHEAD = 64
"""So many stages at most wait for a resource while others are looked at."""
_TINY = 1e-9


class Schedule:
    """Stages in *order*, each behind those of *above* that are in it.

    *jobs* run at once at most, within *room*: of each resource what there is; one that is not named there is there
    once. A stage that wants more than there is runs when nobody else has any of it.
    """

    def __init__(
        self, order: Sequence[str], above: Mapping[str, Iterable[str]], *, jobs: int, room: Mapping[str, float] = {}
    ) -> None:
        self._order = order
        self._number = {address: number for number, address in enumerate(order)}
        self._above = {address: [each for each in above[address] if each in self._number] for address in order}
        self._below: dict[str, list[str]] = {address: [] for address in order}
        for address, needed in self._above.items():
            for each in needed:
                self._below[each].append(address)
        self._waits = {address: len(needed) for address, needed in self._above.items()}
        self._ready = [self._number[address] for address, count in self._waits.items() if not count]
        heapify(self._ready)
        self._held: deque[tuple[str, Mapping[str, float]]] = deque()
        self._running: dict[str, Mapping[str, float]] = {}
        self._jobs = jobs
        self._room = room
        self._taken: dict[str, float] = {}

    @property
    def running(self) -> int:
        """How many run."""
        return len(self._running)

    @property
    def is_over(self) -> bool:
        """True when nothing runs and nothing is left to look at."""
        return not (self._ready or self._held or self._running)

    def next_to_look_at(self) -> str | None:
        """The first stage whose needs are all settled, once; None while there is none or enough wait to run."""
        if not self._ready or len(self._running) >= self._jobs or len(self._held) >= _AHEAD:
            return None
        return self._order[heappop(self._ready)]

    def wants(self, address: str, resources: Mapping[str, float]) -> None:
        """The stage is to run, and takes so much of each resource while it does."""
        self._held.append((address, resources))

    def next_to_start(self) -> str | None:
        """A stage that is to run and may start now; it runs from here on."""
        if len(self._running) >= self._jobs:
            return None
        for at, (address, resources) in enumerate(self._held):
            if all(self._fits(name, amount) for name, amount in resources.items()):
                del self._held[at]
                self._running[address] = resources
                for name, amount in resources.items():
                    self._taken[name] = self._taken.get(name, 0.0) + amount
                return address
        return None

    def settle(self, address: str) -> None:
        """The stage is through, whether it ran or not: those that need only it are next."""
        self._leave(address)
        for below in self._below[address]:
            self._waits[below] -= 1
            if not self._waits[below]:
                heappush(self._ready, self._number[below])

    def fail(self, address: str) -> list[str]:
        """The stage failed: those that need it, directly or not, will not be looked at; they are returned in order."""
        self._leave(address)
        lost: set[str] = set()
        pending = [address]
        while pending:
            for below in self._below[pending.pop()]:
                if below not in lost:
                    lost.add(below)
                    pending.append(below)
        for each in lost:
            # Never zero again: another need of it may still be settled.
            self._waits[each] = -1
        return sorted(lost, key=self._number.__getitem__)

    def stop(self) -> list[str]:
        """Nothing more is looked at or started; those that were left, in order."""
        left = [self._order[number] for number in self._ready] + [address for address, _ in self._held]
        left += [address for address, count in self._waits.items() if count > 0]
        self._ready.clear()
        self._held.clear()
        self._waits = dict.fromkeys(self._waits, -1)
        return sorted(left, key=self._number.__getitem__)

    def _leave(self, address: str) -> None:
        for name, amount in self._running.pop(address, {}).items():
            self._taken[name] -= amount

    def _fits(self, name: str, amount: float) -> bool:
        taken = self._taken.get(name, 0.0)
        return taken < _TINY or taken + amount <= self._room.get(name, 1.0) + _TINY


class Devices:
    """Graphics devices by name, each used by one stage at a time."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._free = list(names)
        self._used: dict[str, list[str]] = {}

    def take(self, address: str, amount: float) -> list[str]:
        """The names of so many devices for a stage; fewer where there are not as many, none for a part of one."""
        whole = int(amount) if amount == int(amount) else 0
        self._used[address], self._free = self._free[:whole], self._free[whole:]
        return self._used[address]

    def give(self, address: str) -> None:
        """The stage is through."""
        self._free = sorted(self._free + self._used.pop(address, []))

"""What came of each stage of a run, and what is told while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from enum import Enum
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.pipeline.types import Decision
from dvtool.pipeline.types import Stage


class State(Enum):
    """How a stage ended. ``LEFT``: the run was over before its turn came, or the user did not want it."""

    RAN = "ran"
    RESTORED = "restored"
    SKIPPED = "skipped"
    FAILED = "failed"
    BLOCKED = "blocked"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Outcome:
    """``code``: of the command that failed, below zero for a signal. ``log``: the file with what it printed, empty
    where nothing ran. ``left_in``: where a failed stage's unfinished outputs lie. ``error``: what is behind a failure
    that is not its command's. ``attempts``: how often it was started."""

    address: str
    state: State
    decision: Decision | None = None
    code: int = 0
    timed_out: bool = False
    seconds: float = 0.0
    peak: int = 0
    attempts: int = 0
    log: bytes = b""
    left_in: bytes = b""
    error: DvtoolError | None = field(default=None, repr=False)


class Decided(NamedTuple):
    """What is to be done with a stage, and why."""

    decision: Decision


class Started(NamedTuple):
    """A stage's commands begin, for the *attempt*-th time, from 1."""

    stage: Stage
    attempt: int
    log: bytes


class Waiting(NamedTuple):
    """A try failed; the next begins in so many seconds."""

    address: str
    code: int
    seconds: float


class Ended(NamedTuple):
    """A stage is through."""

    outcome: Outcome


class Tick(NamedTuple):
    """Time passes while stages run: their logs may have grown. ``running``: their addresses."""

    running: tuple[str, ...]


Event = Decided | Started | Waiting | Ended | Tick
Tell = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class RunResult:
    """``outcomes`` in the order of the graph."""

    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Stages that failed themselves, in order."""
        return tuple(each for each in self.outcomes if each.state is State.FAILED)

    def count(self, state: State) -> int:
        """How many stages ended so."""
        return sum(each.state is state for each in self.outcomes)

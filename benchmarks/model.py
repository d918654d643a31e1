"""A row of the table: who takes part, what is measured, which mark is to be reached."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from statistics import median
from typing import Protocol

from benchmarks.measure import Sample

Counts = Mapping[str, float]


def _nothing(_run: int) -> None:
    return


@dataclass(frozen=True, slots=True)
class Contender:
    """One side of a row. ``prepare`` is not timed; ``check`` runs once, after the last run, and raises when wrong."""

    name: str
    run: Callable[[int], Sample]
    prepare: Callable[[int], None] = _nothing
    check: Callable[[], None] | None = None


@dataclass(slots=True)
class Result:
    """What came out of a row; ``counts`` are numbers that are no time."""

    key: str
    title: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    peak_mb: dict[str, float] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    marks: list[tuple[str, str, bool | None]] = field(default_factory=list)

    def add(self, name: str, sample: Sample) -> None:
        self.seconds.setdefault(name, []).append(sample.seconds)
        self.cpu.setdefault(name, []).append(sample.cpu)
        self.peak_mb[name] = max(sample.peak_mb, self.peak_mb.get(name, 0.0))

    def median(self, name: str) -> float | None:
        return median(self.seconds[name]) if name in self.seconds else None

    def ratio(self, slow: str, quick: str) -> float | None:
        """Median time of *slow* by that of *quick*."""
        one, other = self.median(slow), self.median(quick)
        return None if one is None or not other else one / other

    def pair_ratio(self, slow: str, quick: str) -> float | None:
        """Median of the ratios of runs that followed each other."""
        if slow not in self.seconds or quick not in self.seconds:
            return None
        return median(a / b for a, b in zip(self.seconds[slow], self.seconds[quick], strict=True))


class Mark(Protocol):
    def judge(self, result: Result) -> tuple[str, str, bool | None]:
        """The mark in words, what was measured, whether it was reached (None: not measured)."""


@dataclass(frozen=True, slots=True)
class Faster:
    """At least *factor* times as quick as *peer*."""

    peer: str
    factor: float
    name: str = "dvtool"

    def judge(self, result: Result) -> tuple[str, str, bool | None]:
        words = f"at least {self.factor:g}x faster than {self.peer}"
        ratio = result.ratio(self.peer, self.name)
        return (words, "-", None) if ratio is None else (words, f"{ratio:.1f}x", ratio >= self.factor)


@dataclass(frozen=True, slots=True)
class Within:
    """At most *factor* times the time of *peer*."""

    peer: str
    factor: float
    name: str = "dvtool"

    def judge(self, result: Result) -> tuple[str, str, bool | None]:
        subject = "" if self.name == "dvtool" else f"{self.name}: "
        words = f"{subject}at most {self.factor:g}x the time of {self.peer}"
        ratio = result.ratio(self.name, self.peer)
        return (words, "-", None) if ratio is None else (words, f"{ratio:.2f}x", ratio <= self.factor)


@dataclass(frozen=True, slots=True)
class Seconds:
    """At most so many seconds."""

    limit: float
    name: str = "dvtool"

    def judge(self, result: Result) -> tuple[str, str, bool | None]:
        words = f"{self.name}: at most {self.limit:g} s"
        value = result.median(self.name)
        return (words, "-", None) if value is None else (words, f"{value:.3f} s", value <= self.limit)


@dataclass(frozen=True, slots=True)
class Peak:
    """No process of *name* ever holds more than so many MB."""

    limit: float
    name: str

    def judge(self, result: Result) -> tuple[str, str, bool | None]:
        words = f"{self.name}: under {self.limit:g} MB"
        value = result.peak_mb.get(self.name)
        return (words, "-", None) if value is None else (words, f"{value:.0f} MB", value < self.limit)


@dataclass(frozen=True, slots=True)
class AtMost:
    """A count that must not exceed *limit*."""

    count: str
    limit: float

    def judge(self, result: Result) -> tuple[str, str, bool | None]:
        words = f"{self.count}: at most {self.limit:g}"
        value = result.counts.get(self.count)
        return (words, "-", None) if value is None else (words, f"{value:g}", value <= self.limit)


@dataclass(frozen=True, slots=True)
class Row:
    """``count`` is called once after the timed runs."""

    title: str
    contenders: Sequence[Contender]
    marks: Sequence[Mark]
    count: Callable[[], Counts] | None = None
    repeat: int = 1

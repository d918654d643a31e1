"""How fast a remote is, as far as a few seconds can tell."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dvtool.model.ports import Remote
from dvtool.remote.conformance.bench import Bench
from dvtool.remote.conformance.bench import content

Clock = Callable[[], float]
"""Seconds that only go up."""

_SMALL = 10_000
_ENOUGH_SECONDS = 2.0
_MOST_REQUESTS = 200


@dataclass(frozen=True, slots=True)
class Speed:
    """Bytes a second of one large value (``large`` bytes) at a time; requests a second with values of ``small``
    bytes, ``at_once`` at a time. None: the remote cannot do that."""

    large: int
    small: int
    at_once: int
    sent: float | None
    received: float
    writes: float | None
    reads: float
    looks: float


def measure(bench: Bench, clock: Clock) -> Speed:
    """Raises what the remote raises."""
    remote = bench.client()
    data = content(bench.large)
    source, back = bench.file(data), bench.path()
    sent = len(data) / _seconds(clock, lambda: remote.put_file("data/ab/large", source))
    received = len(data) / _seconds(clock, lambda: remote.get_file("data/ab/large", back, len(data)))
    small = content(_SMALL)
    names = [f"data/cd/{number:03}" for number in range(_MOST_REQUESTS)]
    at_once = remote.capabilities.concurrency
    with ThreadPoolExecutor(at_once) as pool:
        done, writes = _rate(pool, clock, names, at_once, lambda name: remote.put(name, small))
        reads = _rate(pool, clock, done, at_once, remote.get)[1]
        looks = _rate(pool, clock, done, at_once, remote.stat)[1]
    return Speed(bench.large, _SMALL, at_once, sent, received, writes, reads, looks)


def measure_reading(remote: Remote, key: str, size: int, path: bytes, clock: Clock) -> Speed:
    """The same for a remote that only reads, with the value that it has under *key*."""
    at_once = remote.capabilities.concurrency
    received = size / _seconds(clock, lambda: remote.get_file(key, path, size))
    with ThreadPoolExecutor(at_once) as pool:
        again = [key] * _MOST_REQUESTS
        reads = _rate(pool, clock, again, at_once, remote.get)[1]
        looks = _rate(pool, clock, again, at_once, remote.stat)[1]
    return Speed(size, size, at_once, None, received, None, reads, looks)


def _seconds(clock: Clock, work: Callable[[], object]) -> float:
    begun = clock()
    work()
    return max(clock() - begun, 1e-6)


def _rate(
    pool: ThreadPoolExecutor, clock: Clock, names: Iterable[str], at_once: int, work: Callable[[str], object]
) -> tuple[list[str], float]:
    """As many of *names* as some seconds allow, and how many a second that were."""
    left = list(names)
    done: list[str] = []
    begun = clock()
    while left and clock() - begun < _ENOUGH_SECONDS:
        some, left = left[: 2 * at_once], left[2 * at_once :]
        for _ in pool.map(work, some):
            pass
        done += some
    return done, len(done) / max(clock() - begun, 1e-6)

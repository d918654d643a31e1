"""What goes over the wire of one remote: counted for whoever listens, and held to a rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from typing import runtime_checkable

Listener = Callable[[int], None]

BLOCK = 256 << 10
"""Bytes that go at once."""
_SMALLEST = 4 << 10
_BLOCKS_A_SECOND = 8


class Meter:
    """Bytes that pass, in both directions together. Safe in threads.

    *rate*: bytes a second, None for no limit. *clock* gives seconds from any start.
    """

    def __init__(self, rate: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._guard = threading.Lock()
        self._free_at = 0.0
        self._listeners: list[Listener] = []

    @property
    def block(self) -> int:
        """How many bytes to pass at once, so that a slow line flows evenly."""
        if self._rate is None:
            return BLOCK
        return max(_SMALLEST, min(BLOCK, self._rate // _BLOCKS_A_SECOND))

    @property
    def is_limited(self) -> bool:
        return self._rate is not None

    def passed(self, count: int) -> float:
        """So many bytes pass now; the seconds to wait before any more may. It does not wait itself."""
        for listener in self._listeners:
            listener(count)
        if self._rate is None:
            return 0.0
        with self._guard:
            now = self._clock()
            self._free_at = max(self._free_at, now) + count / self._rate
            return self._free_at - now

    @contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """While this is open *listener* hears of everything that passes, in the thread where it does."""
        self._listeners = [*self._listeners, listener]
        try:
            yield
        finally:
            self._listeners = [each for each in self._listeners if each is not listener]


@runtime_checkable
class Metered(Protocol):
    """A remote whose bytes can be watched while they pass. Part of what `open_remote` returns, not of the port."""

    @property
    def meter(self) -> Meter: ...


@runtime_checkable
class Streaming(Protocol):
    """A driver that tells the meter of each block by itself, rather than of each value as a whole."""

    def use_meter(self, meter: Meter) -> None:
        """Tell *meter* of every block from now on, and wait as it says. Called before the first request."""

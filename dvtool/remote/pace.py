"""How many requests run at once: more while that brings more, half when the remote has too many."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager

from dvtool.errors import StorageError

GROWTH = 2
"""So many times what a remote usually bears are tried."""
REQUEST_BYTES = 64 << 10
"""What a request without bytes counts as: so that many small ones are work too."""
_WINDOW = 0.5
_GAIN = 1.05
_FORGET = 0.9
"""The best rate counts for less with each window: a line changes."""
_REST = 8
"""Windows without another try after one that brought nothing."""
_CALM = 2.0
"""Failures within so many seconds are one event."""
_LONGEST = 120.0


class Pace:
    """Slots for requests; *start* of them at first, never over *most*. Safe in threads.

    The number grows by a quarter while all slots are in use and the bytes a second grow with it; a step that brought
    nothing is taken back. `overloaded` halves it. *clock* gives seconds from any start.
    """

    def __init__(self, start: int, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = max(1, min(start, most))
        self._most = max(1, most)
        self._clock = clock
        self._changed = threading.Condition()
        self._running = 0
        self._closed = False
        self._not_before = 0.0
        self._calm_after = 0.0
        self._best = 0.0
        self._before_step = 0
        self._rest = 0
        self._was_full = False
        self._open_window()

    @contextmanager
    def slot(self) -> Iterator[Callable[[int], None]]:
        """Wait for a slot; the value is to be told of the bytes that were moved. `StorageError` after `close`."""
        self._enter()
        moved = 0

        def tell(count: int) -> None:
            nonlocal moved
            moved += count

        done = False
        try:
            yield tell
            done = True
        finally:
            self._leave(moved + REQUEST_BYTES if done else 0)

    def overloaded(self, asked: float | None = None) -> None:
        """The remote answered that it has too much to do, or not in time. *asked*: nobody begins for so long."""
        with self._changed:
            now = self._clock()
            if asked is not None:
                self._not_before = max(self._not_before, now + min(asked, _LONGEST))
            if now >= self._calm_after:
                self.limit = max(1, self.limit // 2)
                self._calm_after = now + _CALM
                self._best, self._before_step, self._rest = 0.0, 0, _REST
                self._open_window()

    def close(self) -> None:
        """Nobody waits any longer."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _enter(self) -> None:
        with self._changed:
            while not self._closed:
                wait = self._not_before - self._clock()
                if wait <= 0 and self._running < self.limit:
                    break
                self._changed.wait(wait if wait > 0 else None)
            if self._closed:
                raise StorageError("the remote was closed while a request waited for its turn")
            self._running += 1
            self._was_full = self._was_full or self._running >= self.limit
            if self._running < self.limit:
                # Each wakes the next as long as there are slots. To wake all 32 threads for each slot made a GET of
                # 2 KB take 1.2 ms, not 0.75.
                self._changed.notify()

    def _leave(self, work: int) -> None:
        with self._changed:
            self._running -= 1
            self._work += work
            self._done += 1
            if self._done >= 2 * self.limit and self._clock() - self._since >= _WINDOW:
                self._judge(self._work / (self._clock() - self._since))
                self._open_window()
            self._changed.notify()

    def _judge(self, rate: float) -> None:
        if self._before_step:
            if rate < self._best * _GAIN:
                self.limit = self._before_step
                self._rest = _REST
            self._before_step = 0
        self._best = max(rate, self._best * _FORGET)
        if self._rest:
            self._rest -= 1
        elif self._was_full and self.limit < self._most:
            self._before_step = self.limit
            self.limit = min(self._most, self.limit + max(1, self.limit // 4))

    def _open_window(self) -> None:
        self._since = self._clock()
        self._work = 0
        self._done = 0
        self._was_full = False

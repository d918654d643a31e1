"""The reporter of the command line: a bar on a terminal, else a plain line every ten seconds.

Nothing is shown for work under half a second (bar) or ten (lines). `advance` comes from many
threads and often, so it only adds; a thread of our own looks at the clock four times a second.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import Literal
from typing import TextIO

from dvtool.ui import bar
from dvtool.ui.counts import number
from dvtool.ui.sizes import duration
from dvtool.ui.sizes import size
from dvtool.ui.text import safe

Mode = Literal["bar", "lines", "off"]

BAR_AFTER = 0.5
LINE_EVERY = 10.0
TICK = 0.25
RATE_OVER = 15.0
"""The rate is that of the last so many seconds."""


@dataclass(slots=True)
class Phase:
    """One piece of work under way; times are those of the reporter's clock."""

    name: str
    total: int | None
    unit: str
    started: float
    last_line: float
    done: int = 0
    lines: int = 0
    seen: deque[tuple[float, int]] = field(default_factory=deque)

    def amount(self) -> str:
        """``1,200 of 5,000 files (24 %)``, ``1.2 MB``"""
        text = size if self.unit == "bytes" else number
        noun = "" if self.unit == "bytes" else f" {self.unit}"
        if not self.total:
            return f"{text(self.done)}{noun.removesuffix('s') if self.done == 1 else noun}"
        return f"{text(self.done)} of {text(self.total)}{noun} ({min(100, 100 * self.done // self.total)} %)"

    def look(self, now: float) -> None:
        """Remember how far it is now."""
        if not self.seen:
            self.seen.append((self.started, 0))
        self.seen.append((now, self.done))
        while len(self.seen) > 2 and now - self.seen[1][0] >= RATE_OVER:
            self.seen.popleft()

    def pace(self) -> str:
        """``12 MB/s, 3 min 20 s left``, as it went lately; empty where nothing can be said."""
        (before, had), (now, has) = self.seen[0], self.seen[-1]
        if now <= before or has <= had:
            return ""
        rate = (has - had) / (now - before)
        parts = [f"{size(round(rate))}/s"] if self.unit == "bytes" else []
        if self.total and self.done < self.total:
            parts.append(f"{duration((self.total - self.done) / rate)} left")
        return ", ".join(parts)


class ProgressReporter:
    """A `dvtool.model.ports.Reporter` for people. Safe in threads; phases may nest, the innermost shows.

    *quiet* shows neither progress nor notes. With *ticking* off, the caller calls `tick`.
    """

    def __init__(
        self, stream: TextIO, clock: Callable[[], float], mode: Mode, *, quiet: bool = False, ticking: bool = True
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._mode: Mode = "off" if quiet else mode
        self._quiet = quiet
        self._ticking = ticking
        self._lock = threading.RLock()
        self._phases: list[Phase] = []
        self._bar: bar.Bar | None = None
        self._stop = threading.Event()
        self._ticker: threading.Thread | None = None

    def begin(self, phase: str, *, total: int | None = None, unit: str = "files") -> None:
        if self._mode == "off":
            return
        now = self._clock()
        with self._lock:
            self._phases.append(Phase(phase, total, unit, now, now))
            if self._ticking and self._ticker is None:
                self._ticker = threading.Thread(target=self._run, name="progress", daemon=True)
                self._ticker.start()

    def advance(self, amount: int) -> None:
        if self._mode == "off":
            return
        with self._lock:
            if self._phases:
                self._phases[-1].done += amount

    def end(self) -> None:
        if self._mode == "off":
            return
        with self._lock:
            if not self._phases:
                return
            phase = self._phases.pop()
            if phase.lines:
                self._write(f"{phase.name}: {phase.amount()} in {duration(self._clock() - phase.started)}")
            if self._bar is not None and not self._phases:
                self._bar.close()
                self._bar = None

    def note(self, text: str) -> None:
        if not self._quiet:
            self.print(safe(text))

    def print(self, text: str) -> None:
        """A line, as it is, above the bar."""
        with self._lock:
            if self._bar is not None:
                self._bar.print(text)
            else:
                self._write(text)

    def tick(self) -> None:
        """Show what is due now."""
        with self._lock:
            if not self._phases:
                return
            phase = self._phases[-1]
            now = self._clock()
            phase.look(now)
            if self._mode == "bar":
                if self._bar is None and now - phase.started >= BAR_AFTER:
                    self._bar = bar.Bar(self._stream)
                if self._bar is not None:
                    self._bar.show(phase.name, phase.done, phase.total, phase.amount(), phase.pace())
            elif now - phase.last_line >= LINE_EVERY:
                phase.last_line = now
                phase.lines += 1
                parts = (phase.amount(), duration(now - phase.started), phase.pace())
                self._write(f"{phase.name}: {', '.join(part for part in parts if part)}")

    def close(self) -> None:
        """Take the bar away; the reporter stays usable for notes."""
        self._stop.set()
        if self._ticker is not None:
            self._ticker.join()
        with self._lock:
            self._phases.clear()
            if self._bar is not None:
                self._bar.close()
                self._bar = None

    def _run(self) -> None:
        while not self._stop.wait(TICK):
            self.tick()

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()

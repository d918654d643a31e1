"""Progress of a transfer: what has arrived whole, and before that what has passed on the line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import ExitStack
from contextlib import contextmanager

from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.remote.meter import Metered


class TransferProgress:
    """Tells *reporter* the larger of two sums, at most *total*: bytes done, and bytes that passed. A `Reporter` itself.

    A pack of 64 MiB takes a minute on a slow line: what is done moves once a minute, what passed always. It may pass
    twice, or compressed, so that neither is right alone. Safe in threads.
    """

    def __init__(self, reporter: Reporter, total: int | None) -> None:
        self._reporter = reporter
        self._total = total
        self._guard = threading.Lock()
        self._done = self._passed = self._told = 0

    def begin(self, phase: str, *, total: int | None = None, unit: str = "files") -> None:
        self._reporter.begin(phase, total=total, unit=unit)

    def advance(self, amount: int) -> None:
        """So many bytes of what is wanted are there."""
        with self._guard:
            self._done += amount
            self._tell()

    def end(self) -> None:
        self._reporter.end()

    def note(self, text: str) -> None:
        self._reporter.note(text)

    def passed(self, count: int) -> None:
        """So many bytes were sent or received."""
        with self._guard:
            self._passed += count
            self._tell()

    def _tell(self) -> None:
        reached = max(self._done, self._passed)
        if self._total is not None:
            reached = min(reached, self._total)
        if reached > self._told:
            self._reporter.advance(reached - self._told)
            self._told = reached


@contextmanager
def transferring(
    reporter: Reporter, phase: str, remotes: Sequence[Remote], total: int | None = None
) -> Iterator[TransferProgress]:
    """The phase *phase* of *reporter*, in bytes, while this is open; all that *remotes* move counts."""
    progress = TransferProgress(reporter, total)
    reporter.begin(phase, total=total, unit="bytes")
    try:
        with ExitStack() as stack:
            for remote in remotes:
                if isinstance(remote, Metered):
                    stack.enter_context(remote.meter.listening(progress.passed))
            yield progress
    finally:
        reporter.end()

"""Tries again what may work at the next try."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TypeVar

from dvtool.errors import storage_error
from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem
from dvtool.model.ports import Unfinished
from dvtool.remote.appending import append_rest
from dvtool.remote.failures import TransientError
from dvtool.remote.meter import Meter
from dvtool.remote.wrapper import RemoteWrapper

T = TypeVar("T")

TRIES = 5
_TRIES_UNREACHABLE = 2
_FIRST_WAIT = 0.25
_LONGEST_WAIT = 20.0
_LONGEST_ASKED = 120.0


def backoff(failures: int, asked: float | None, jitter: Callable[[], float] = random.random) -> float:
    """Seconds to wait after so many failures in a row; *asked*: what the server wants at least."""
    grown = min(_FIRST_WAIT * 3.0 ** (failures - 1), _LONGEST_WAIT) * (0.5 + jitter())
    return grown if asked is None else max(grown, min(asked, _LONGEST_ASKED))


class RetryingRemote(RemoteWrapper):
    """*inner*, with at most five tries of each request but `put_file` and growing, jittered waits.

    Only `TransientError` is tried again. A remote that was never reached gets two tries, so that
    a mistyped host is told at once. *pause* waits so many seconds, by default until `close` at
    most; *jitter* gives a number in [0, 1). *meter* hears of every byte that *inner* moves.
    """

    def __init__(
        self,
        inner: Remote,
        *,
        pause: Callable[[float], object] | None = None,
        jitter: Callable[[], float] = random.random,
        meter: Meter | None = None,
    ) -> None:
        super().__init__(inner)
        self.meter = Meter() if meter is None else meter
        self._closing = threading.Event()
        self._pause = self._closing.wait if pause is None else pause
        self._jitter = jitter
        self._reached = False

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        # Whole or not at all: pages already handed out cannot be taken back at a retry.
        return iter(self._tried(lambda: [*self._inner.list(prefix)]))

    def stat(self, key: str) -> RemoteItem | None:
        return self._tried(lambda: self._inner.stat(key))

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        return self._tried(lambda: self._inner.get(key, start, length))

    def get_each(self, sizes: Sequence[tuple[str, int]]) -> Sequence[bytes | None]:
        each = super().get_each
        return self._tried(lambda: each(sizes))

    def get_file(self, key: str, path: bytes, size: int) -> None:
        """What has arrived is kept: after a cut the rest is fetched by range and appended."""
        cut = False
        _empty(path)

        def fetch() -> None:
            nonlocal cut
            if cut and self._inner.capabilities.ranges and 0 < _size(path) <= size:
                append_rest(self._inner, key, path, size)
                return
            cut = True
            self._inner.get_file(key, path, size)

        self._tried(fetch, progress=lambda: _size(path))

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        failed = False

        def write() -> bool:
            nonlocal failed
            try:
                written = self._inner.put(key, data, create_only=create_only)
            except TransientError:
                failed = True
                raise
            # The answer to an earlier try may be lost although its bytes arrived.
            return written or (failed and self._inner.get(key) == data)

        return self._tried(write)

    def put_file(self, key: str, path: bytes) -> None:
        """One try: an upload whose answer was lost may have arrived, and no key is written twice. Callers take
        another key, after `backoff`."""
        self._inner.put_file(key, path)
        self._reached = True

    def delete(self, key: str) -> None:
        self._tried(lambda: self._inner.delete(key))

    def unfinished(self) -> Iterator[Unfinished]:
        return iter(self._tried(lambda: [*super(RetryingRemote, self).unfinished()]))

    def discard(self, left: Unfinished) -> None:
        self._tried(lambda: super(RetryingRemote, self).discard(left))

    def close(self) -> None:
        self._closing.set()
        self._inner.close()

    def _tried(self, call: Callable[[], T], progress: Callable[[], int] = int) -> T:
        failures = 0
        while True:
            before = progress()
            try:
                result = call()
            except TransientError as error:
                # A download that goes on is not a series of failures of the same request.
                failures = 1 if progress() > before > 0 else failures + 1
                if failures >= self._tries(error):
                    raise
                self._pause(backoff(failures, error.retry_after, self._jitter))
                if self._closing.is_set():
                    raise
            else:
                self._reached = True
                return result

    def _tries(self, error: TransientError) -> int:
        return _TRIES_UNREACHABLE if error.unreachable and not self._reached else TRIES


def _empty(path: bytes) -> None:
    """Older bytes in the file must not be taken for the beginning of the value."""
    try:
        with open(path, "wb"):
            return
    except OSError as error:
        raise storage_error(error, "write", path) from error


def _size(path: bytes) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0

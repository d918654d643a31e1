"""Calls into an asyncio loop that runs in a thread of its own, made from ordinary threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from concurrent.futures import Future
from concurrent.futures import wait
from typing import Any
from typing import TypeVar

from dvtool.errors import StorageError

T = TypeVar("T")

_CLOSE_SECONDS = 1.0


class Calls:
    """Runs coroutines on *loop* and waits for them; whoever waits can be interrupted.

    An exception in the waiting thread (Ctrl-C in the main one) cancels its coroutine; `stop`
    cancels all, so that no worker thread keeps the process alive.
    """

    def __init__(self, remote: str, loop: asyncio.AbstractEventLoop) -> None:
        self._remote = remote
        self._loop = loop
        self._running: set[Future[Any]] = set()
        self._guard = threading.Lock()
        self._stopped = False

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result or exception; `StorageError` once `stop` was called."""
        with self._guard:
            if self._stopped:
                coroutine.close()
                raise self._closed()
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
            self._running.add(future)
        try:
            return future.result()
        except CancelledError:
            raise self._closed() from None
        except BaseException:
            future.cancel()
            raise
        finally:
            with self._guard:
                self._running.discard(future)

    def stop(self, last: Coroutine[Any, Any, None] | None = None) -> None:
        """Cancel what runs, then run *last*; waits for it a second at most."""
        with self._guard:
            if self._stopped:
                if last is not None:
                    last.close()
                return
            self._stopped = True
            running = list(self._running)
        for future in running:
            future.cancel()
        if last is not None:
            wait([asyncio.run_coroutine_threadsafe(last, self._loop)], timeout=_CLOSE_SECONDS)

    def _closed(self) -> StorageError:
        return StorageError(f"remote {self._remote} was closed while a request was under way")

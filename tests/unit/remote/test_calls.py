from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from dvtool.errors import StorageError
from dvtool.remote.calls import Calls


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class Forever:
    """A coroutine that tells when it runs and when it was cancelled."""

    def __init__(self) -> None:
        self.runs = threading.Event()
        self.cancelled = threading.Event()

    async def __call__(self) -> None:
        self.runs.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


async def value(number: int) -> int:
    return number


def test_results_and_exceptions_come_through(loop: asyncio.AbstractEventLoop) -> None:
    async def fail() -> None:
        raise KeyError("k")

    calls = Calls("origin", loop)
    assert calls.run(value(3)) == 3
    with pytest.raises(KeyError):
        calls.run(fail())
    calls.stop()


def test_stop_ends_what_other_threads_wait_for(loop: asyncio.AbstractEventLoop) -> None:
    calls, forever = Calls("origin", loop), Forever()
    told: list[BaseException] = []

    def wait() -> None:
        try:
            calls.run(forever())
        except StorageError as error:
            told.append(error)

    worker = threading.Thread(target=wait)
    worker.start()
    forever.runs.wait()
    calls.stop()
    worker.join()
    assert len(told) == 1
    forever.cancelled.wait()
    with pytest.raises(StorageError):
        calls.run(value(1))


def test_stop_runs_the_last_words_once(loop: asyncio.AbstractEventLoop) -> None:
    said: list[str] = []

    async def last() -> None:
        said.append("bye")

    calls = Calls("origin", loop)
    calls.stop(last())
    calls.stop(last())
    assert said == ["bye"]

"""Part of a local file as the body of a request: read while it is sent, never held whole."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Coroutine
from typing import Any
from typing import TypeVar

from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.remote.meter import Meter

T = TypeVar("T")


class FilePart:
    """*length* bytes from *start* of the descriptor *source*.

    botocore reads it to sign it, with `read` and `seek`; aiohttp sends what the asynchronous iteration gives. No
    ``io.IOBase``: aiohttp would then read every block in a thread. ``blocks`` counts what was handed to the line;
    ``failure`` is why it could not be read, which aiohttp takes for trouble with the connection.
    """

    def __init__(self, source: int, start: int, length: int, meter: Meter) -> None:
        self._source = source
        self._start = start
        self._length = length
        self._meter = meter
        self._at = 0
        self.blocks = 0
        self.failure: StorageError | None = None

    def __len__(self) -> int:
        return self._length

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._length}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._length - self._at)
        data = _read(self._source, self._start + self._at, left if size < 0 else min(size, left))
        self._at += len(data)
        return data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        at = 0
        while at < self._length:
            try:
                data = _read(self._source, self._start + at, min(self._meter.block, self._length - at))
            except StorageError as error:
                self.failure = error
                raise
            at += len(data)
            self.blocks += 1
            yield data
            seconds = self._meter.passed(len(data))
            while seconds > 0:  # to wait for one's turn is progress
                await asyncio.sleep(min(seconds, 1.0))
                seconds -= 1.0
                self.blocks += 1


async def send_part(
    send: Callable[[FilePart], Coroutine[Any, Any, T]],
    source: int,
    start: int,
    length: int,
    meter: Meter,
    idle: float,
) -> T:
    """What *send* makes of a part of *source*. ``TimeoutError`` when nothing moves for *idle* seconds."""
    part = FilePart(source, start, length, meter)
    try:
        return await unless_idle(send(part), lambda: part.blocks, idle)
    except Exception:
        if part.failure is not None:
            raise part.failure from None
        raise


async def unless_idle(work: Coroutine[Any, Any, T], progress: Callable[[], int], seconds: float) -> T:
    """The result of *work*; ``TimeoutError`` when for so many seconds *progress* gives the same number.

    aiohttp has no time limit of its own while it sends or waits for "100 Continue".
    """
    task = asyncio.ensure_future(work)
    try:
        seen = progress()
        while not (await asyncio.wait({task}, timeout=seconds))[0]:
            now = progress()
            if now == seen:
                raise TimeoutError
            seen = now
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _read(source: int, start: int, length: int) -> bytes:
    """Exactly *length* bytes."""
    parts: list[bytes] = []
    while length:
        try:
            data = os.pread(source, length, start)
        except OSError as error:
            raise storage_error(error, "read the file being sent") from error
        if not data:
            raise StorageError("the file being sent became shorter while it was read")
        parts.append(data)
        start += len(data)
        length -= len(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)

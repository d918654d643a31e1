"""The bytes of files on the server: several blocks under way, in order where they arrive."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Coroutine
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

from dvtool.remote.meter import Meter

if TYPE_CHECKING:
    from asyncssh import SFTPClientFile

T = TypeVar("T")

_UNDER_WAY = 4 << 20
_BLOCK = 256 << 10


class Line:
    """The way between here and a server. *meter* hears of every block and says how long to wait."""

    def __init__(self) -> None:
        self.meter = Meter()

    async def passed(self, count: int) -> None:
        seconds = self.meter.passed(count)
        if seconds > 0:
            await asyncio.sleep(seconds)

    def block(self, most: int) -> int:
        """How many bytes to ask for at once, of a server that allows *most*."""
        return min(most or _BLOCK, self.meter.block)


def started(call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task whose failure nobody has to hear of: without that, the loop would print it where it was given up."""
    task = asyncio.ensure_future(call)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task


async def read_blocks(file: SFTPClientFile, start: int, length: int, line: Line, most: int) -> AsyncIterator[bytes]:
    """*length* bytes from *start* in order, or fewer where the file ends before; at most *most* in one request."""
    size = line.block(most)
    offsets = iter(range(start, start + length, size))
    coming: deque[asyncio.Task[bytes]] = deque()

    def ask() -> None:
        for at in offsets:
            coming.append(started(_read(file, at, min(size, start + length - at))))
            if len(coming) * size >= _UNDER_WAY:
                return

    try:
        ask()
        while coming:
            data = await coming.popleft()
            await line.passed(len(data))
            if data:
                yield data
            ask()
    finally:
        await _abandon(coming)


async def _read(file: SFTPClientFile, at: int, length: int) -> bytes:
    data: bytes = await _part(file, at, length)
    if not data or len(data) == length:
        return data
    # A server may answer with less than was asked for.
    parts = [data]
    left = length - len(data)
    while left and (data := await _part(file, at + length - left, left)):
        parts.append(data)
        left -= len(data)
    return b"".join(parts)


async def _part(file: SFTPClientFile, at: int, length: int) -> bytes:
    data: Any = await file.read(length, at)
    return bytes(data)


async def write_blocks(
    file: SFTPClientFile, read: Callable[[int, int], bytes], size: int, line: Line, most: int
) -> None:
    """Write *size* bytes, at most *most* in one request; *read* gives so many of them from an offset."""
    block = line.block(most)
    going: deque[asyncio.Task[int]] = deque()
    try:
        for at in range(0, size, block):
            data = read(at, min(block, size - at))
            going.append(started(file.write(data, at)))
            await line.passed(len(data))
            if len(going) * block >= _UNDER_WAY:
                await going.popleft()
        while going:
            await going.popleft()
    finally:
        await _abandon(going)


async def _abandon(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

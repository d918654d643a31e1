"""Values that travel in several parts: the local file on one side, requests side by side on the other."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from dvtool.errors import StorageError
from dvtool.errors import storage_error


async def together(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all; at the first failure cancel the others and wait until they are over."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def opened(path: bytes, flags: int, doing: str) -> Iterator[int]:
    """Open inside the coroutine only: a cancelled one runs on for a moment, and must not write to
    a descriptor that its caller has closed and somebody else has got."""
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise storage_error(error, doing, path) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_exactly(source: int, start: int, length: int) -> bytes:
    """*length* bytes of the descriptor from *start*; a shorter file raises `StorageError`."""
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


def write_at(target: int, data: bytes, offset: int) -> None:
    """All of *data* into the descriptor at *offset*."""
    rest = memoryview(data)
    while rest:
        try:
            done = os.pwrite(target, rest, offset)
        except OSError as error:
            raise storage_error(error, "write the file being fetched") from error
        offset += done
        rest = rest[done:]

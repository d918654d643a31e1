"""A line with a delay and a bandwidth in front of the S3 server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress

from benchmarks.s3 import S3

_BLOCK = 64 << 10


class _Direction:
    """Bytes arrive *delay* seconds after they were sent, and no faster than *rate* bytes a second, all together."""

    def __init__(self, delay: float, rate: float) -> None:
        self._delay = delay
        self._rate = rate
        self._free_at = 0.0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=1024)

        async def deliver() -> None:
            while True:
                at, block = await waiting.get()
                await asyncio.sleep(max(0.0, at - loop.time()))
                if not block:
                    return
                writer.write(block)
                await writer.drain()

        delivering = asyncio.create_task(deliver())
        with suppress(OSError):
            while block := await reader.read(_BLOCK):
                self._free_at = max(self._free_at, loop.time()) + len(block) / self._rate
                await waiting.put((self._free_at + self._delay, block))
                # What is under way on a real line is bounded by its bandwidth, too.
                await asyncio.sleep(max(0.0, self._free_at - loop.time()))
        await waiting.put((loop.time() + self._delay, b""))
        with suppress(OSError, asyncio.CancelledError):
            await delivering
        writer.close()


@contextmanager
def slow_line(delay: float, rate: float) -> Iterator[str]:
    """An endpoint with a round trip of *delay* seconds and *rate* bytes a second each way."""
    loop = asyncio.new_event_loop()
    listening: dict[str, int] = {}
    ready, done = threading.Event(), asyncio.Event()

    async def serve() -> None:
        there, back = _Direction(delay / 2, rate), _Direction(delay / 2, rate)

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            above, below = await asyncio.open_connection("127.0.0.1", S3)
            await asyncio.gather(there.carry(reader, below), back.carry(above, writer))

        proxy = await asyncio.start_server(handle, "127.0.0.1", 0)
        listening["port"] = proxy.sockets[0].getsockname()[1]
        ready.set()
        await done.wait()
        proxy.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield f"http://127.0.0.1:{listening['port']}"
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)

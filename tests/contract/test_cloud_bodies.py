"""Answers of Azure and Google that lie about their body: refused, at a bounded cost."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path

import pytest

from dvtool.errors import StorageError
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.table import open_bare

BLOCK = b"x" * 65_536
ENDLESS = 1 << 40
HEADS = {
    "cut off": (b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-99999/100000\r\nContent-Length: 100000\r\n\r\n", 1),
    "endless": (b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-99999/100000\r\n\r\n", ENDLESS),
    "longer": (
        b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-99999/100000\r\nContent-Length: 900000\r\n\r\n",
        900_000,
    ),
    "shorter": (b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-99/100\r\nContent-Length: 100\r\n\r\n", 100),
    "another range": (
        b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 7-100006/200000\r\nContent-Length: 100000\r\n\r\n",
        100_000,
    ),
    "all of a larger value": (b"HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n", ENDLESS),
}


@contextmanager
def answering(head: bytes, size: int) -> Iterator[tuple[int, list[int]]]:
    """A server that answers everything so; its port, and how many bytes of bodies it could send."""
    sent = [0]

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                while self.request.recv(65_536):
                    self.request.sendall(head)
                    left = size
                    while left > 0:
                        self.request.sendall(BLOCK[:left])
                        sent[0] += len(BLOCK[:left])
                        left -= len(BLOCK)
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1], sent
        finally:
            server.shutdown()
            thread.join()


def opened_gcs(port: int) -> Remote:
    return open_bare(Address("origin", "gs://bucket", {"endpointurl": f"http://127.0.0.1:{port}"}, b"/", {}))


def opened_azure(port: int) -> Remote:
    settings = {"endpointurl": f"http://127.0.0.1:{port}/acc", "account_name": "acc", "account_key": "a2V5"}
    return open_bare(Address("origin", "azure://container", settings, b"/", {}))


@pytest.mark.parametrize("open_at", [opened_azure, opened_gcs])
@pytest.mark.parametrize("lie", [lie for lie in HEADS if lie != "all of a larger value"])
def test_a_part(open_at: Callable[[int], Remote], lie: str) -> None:
    with answering(*HEADS[lie]) as (port, sent), closing(open_at(port)) as remote, pytest.raises(StorageError):
        remote.get("k", 0, 100_000)
    assert sent[0] < 64 << 20


@pytest.mark.parametrize("lie", HEADS)
def test_a_file_in_parts(lie: str, tmp_path: Path) -> None:
    _assert_no_file(opened_azure, *HEADS[lie], tmp_path / "back")


@pytest.mark.parametrize("lie", [lie for lie in HEADS if lie != "another range"])
def test_a_file_at_once(lie: str, tmp_path: Path) -> None:
    head, size = HEADS[lie]
    _assert_no_file(opened_gcs, head.replace(b"206 Partial", b"200 OK"), size, tmp_path / "back")


def _assert_no_file(open_at: Callable[[int], Remote], head: bytes, size: int, back: Path) -> None:
    with answering(head, size) as (port, sent), closing(open_at(port)) as remote, pytest.raises(StorageError):
        remote.get_file("k", bytes(back), 100_000)
    assert sent[0] < 64 << 20
    left = back.read_bytes()
    assert left == b"x" * len(left)
    assert len(left) <= 100_000

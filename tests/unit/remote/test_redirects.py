"""Where a server's redirects may lead."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from threading import Thread

import aiohttp
import pytest

from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.remote import rest
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.network import Network


@contextmanager
def server(target: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Answers every path but `/end` with a redirect to *target*, in which PORT is its own; what it was sent."""
    seen: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()} | {":path": self.path})
            self.send_response(200 if self.path == "/end" else 302)
            self.send_header("Content-Length", "0")
            self.send_header("Location", target.replace("PORT", self.headers["Host"].rpartition(":")[2]))
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}/begin", seen
        finally:
            running.shutdown()
            thread.join()


def status(url: str, network: Network, headers: dict[str, str]) -> int:
    async def ask() -> int:
        async with aiohttp.ClientSession() as session:
            http = rest.Http(session, Place("origin", "127.0.0.1"), network, 10.0)
            async with http.reading(url, headers=headers) as response:
                return int(response.status)

    return asyncio.run(ask())


def test_credentials_stay_with_their_host() -> None:
    sent = {"Authorization": "Basic eDp5", "X-Token": "t", "Range": "bytes=0-1"}
    with server("http://localhost:PORT/end") as (url, seen):
        assert status(url, Network(True, None), sent) == 200
    first, second = seen
    assert {"authorization", "x-token", "range"} <= first.keys()
    assert second[":path"] == "/end"
    assert "range" in second
    assert not {"authorization", "x-token"} & second.keys()


def test_they_go_along_on_the_same_host() -> None:
    with server("/end") as (url, seen):
        assert status(url, Network(True, None), {"Authorization": "Basic eDp5"}) == 200
    assert "authorization" in seen[1]


@pytest.mark.parametrize(
    ("target", "error"),
    [("file:///etc/passwd", StorageError), ("ftp://127.0.0.1/x", StorageError), ("/begin", StorageError)],
)
def test_what_is_not_followed(target: str, error: type[DvtoolError]) -> None:
    with server(target) as (url, seen), pytest.raises(error):
        status(url, Network(True, None), {})
    assert len(seen) <= 5


def test_a_server_outside_may_not_lead_into_this_network(monkeypatch: pytest.MonkeyPatch) -> None:
    # No server outside can be had on loopback: one address of it plays that part.
    monkeypatch.setattr(rest, "is_inside", lambda host: host == "localhost")
    with server("http://localhost:PORT/end") as (url, seen):
        with pytest.raises(UnsafeInput):
            status(url, Network(True, None, outside_only=True), {})
        assert [each[":path"] for each in seen] == ["/begin"]
        assert status(url, Network(True, None, outside_only=False), {}) == 200

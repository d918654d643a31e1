"""A network that goes wrong on purpose: a proxy in front of an HTTP server, with a fault at a chosen request."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from contextlib import suppress
from types import TracebackType
from typing import Literal
from typing import NamedTuple

Kind = Literal["none", "refuse", "cut", "lost", "half sent", "flip", "short", "stall", "busy", "storm"]

KINDS: dict[Kind, str] = {
    "refuse": "the connection is closed before the request is passed on",
    "cut": "the connection ends in the middle of the answer",
    "lost": "the request is carried out, its answer never arrives",
    "half sent": "the server sees half of the request",
    "flip": "one bit of the answer's body is turned over",
    "short": "the answer's body lacks its last byte, and its headers agree",
    "stall": "the answer stops in the middle and nothing more comes",
    "busy": "503 with Retry-After",
    "storm": "503 for this request and the three after it",
}

_BLOCK = 1 << 16
_SECONDS = 60.0
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d+)")
_DROPPED = re.compile(rb"(?im)^(?:expect|connection):[^\r\n]*\r\n")
_BUSY = (
    b"HTTP/1.1 503 Slow Down\r\nRetry-After: 0\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s"
)
_BUSY_BODY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_STORM = 4


class Request(NamedTuple):
    """What a client sent; ``head`` ends with an empty line."""

    head: bytes
    body: bytes


class Proxy:
    """A context manager; ``endpoint`` is where clients go. Unarmed, it passes everything on."""

    def __init__(self, upstream: str) -> None:
        host, _, port = upstream.rpartition("//")[2].partition(":")
        self._upstream = (host, int(port))
        self._guard = threading.Lock()
        self._kind: Kind = "none"
        self._at = 0
        self.requests = 0
        self.fired = 0
        self.met = ""
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def arm(self, kind: Kind, at: int = 0) -> None:
        """From now on requests count from 1, and number *at* meets *kind*."""
        with self._guard:
            self._kind, self._at, self.requests, self.fired, self.met = kind, at, 0, 0, ""

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    self.request.settimeout(_SECONDS)
                    proxy._serve(self.request)

        return Handler

    def _serve(self, client: socket.socket) -> None:
        request = _read_request(client)
        if request is None:
            return
        kind = self._enter(request)
        if kind == "refuse":
            return
        if kind in ("busy", "storm"):
            client.sendall(_BUSY % (len(_BUSY_BODY), _BUSY_BODY))
            return
        answer = self._ask(request, half=kind == "half sent")
        if kind in ("lost", "half sent"):
            return
        head, _, body = answer.partition(b"\r\n\r\n")
        middle = len(body) // 2
        if kind == "flip" and body:
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        elif kind == "short" and body:
            body = body[:-1]
            head = _LENGTH.sub(b"Content-Length: %d" % len(body), head)
        answer = head + b"\r\n\r\n" + body
        if kind in ("cut", "stall"):
            answer = answer[: len(head) + 4 + middle] if body else answer[: len(answer) // 2]
        client.sendall(answer)
        if kind == "stall":
            # Until the client has enough of it.
            while client.recv(_BLOCK):
                pass

    def _enter(self, request: Request) -> Kind:
        with self._guard:
            self.requests += 1
            last = self._at + (_STORM if self._kind == "storm" else 1)
            if self._kind == "none" or not self._at <= self.requests < last:
                return "none"
            self.fired += 1
            self.met = self.met or request.head.partition(b"\r\n")[0].decode("ascii", "replace")
            return self._kind

    def _ask(self, request: Request, *, half: bool) -> bytes:
        with socket.create_connection(self._upstream, timeout=_SECONDS) as server:
            head = _DROPPED.sub(b"", request.head)
            whole = head[:-2] + b"Connection: close\r\n\r\n" + request.body
            if half:
                size = len(whole) - (len(request.body) + 1) // 2 if request.body else len(whole) // 2
                server.sendall(whole[:size])
                server.shutdown(socket.SHUT_WR)
            else:
                server.sendall(whole)
            parts = []
            with suppress(OSError):
                while part := server.recv(_BLOCK):
                    parts.append(part)
        return b"".join(parts)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


def _read_request(client: socket.socket) -> Request | None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = client.recv(_BLOCK)
        if not part:
            return None
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    head += b"\r\n\r\n"
    if b"100-continue" in head.lower():
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    stated = _LENGTH.search(head)
    length = int(stated[1]) if stated else 0
    while len(body) < length:
        part = client.recv(_BLOCK)
        if not part:
            return None
        body += part
    return Request(head, body)

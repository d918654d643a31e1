"""A network that breaks at random: a TCP relay that closes connections after chosen numbers of bytes."""

from __future__ import annotations

import random
import socket
import socketserver
import struct
import threading
from contextlib import suppress
from types import TracebackType

_BLOCK = 1 << 16
_RESET = struct.pack("ii", 1, 0)


class CuttingRelay:
    """A context manager; ``port`` of 127.0.0.1 leads to *server* (``host:port``).

    ``carried`` is the number of bytes that went through, both ways, since `arm`; ``cuts`` that of connections that
    were closed on purpose.
    """

    def __init__(self, server: str) -> None:
        host, _, port = server.partition(":")
        self._upstream = (host, int(port))
        self._guard = threading.Lock()
        self._points: list[int] = []
        self.carried = 0
        self.cuts = 0
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> CuttingRelay:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def arm(self, points: list[int]) -> None:
        """From now on bytes count from 0; the connection that carries byte number *points* is cut there."""
        with self._guard:
            self._points = sorted(points)
            self.carried = self.cuts = 0

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        relay = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError), socket.create_connection(relay._upstream) as server:
                    back = threading.Thread(target=relay._pass_on, args=(server, self.request), daemon=True)
                    back.start()
                    relay._pass_on(self.request, server)
                    back.join()

        return Handler

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(_BLOCK):
                allowed, is_cut = self._count(len(data))
                target.sendall(data[:allowed])
                if is_cut:
                    _break(source, target)
                    return
            target.shutdown(socket.SHUT_WR)
        except OSError:
            _break(source, target)

    def _count(self, size: int) -> tuple[int, bool]:
        """How many of *size* bytes may pass, and whether the connection ends there."""
        with self._guard:
            is_cut = bool(self._points) and self._points[0] < self.carried + size
            if is_cut:
                size = max(0, self._points.pop(0) - self.carried)
                self.cuts += 1
            self.carried += size
            return size, is_cut


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


def random_points(seed: str, carried: int, cuts: int) -> list[int]:
    """Where a command that carries so many bytes is cut."""
    numbers = random.Random(seed)
    return [numbers.randrange(carried) for _ in range(cuts)]


def _break(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            # Reset, as a router that forgets does: what is in the buffers is lost.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.shutdown(socket.SHUT_RDWR)

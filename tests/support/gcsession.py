"""An upload session of Google Cloud Storage on 127.0.0.1 whose connection breaks, as the documentation describes it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer


class Session:
    """``held``: the bytes that arrived; ``asked``: the Content-Range of every request."""

    def __init__(self) -> None:
        self.url = ""
        self.held = bytearray()
        self.asked: list[str] = []
        self.cuts: list[int] = []


@contextmanager
def breaking(cuts: list[int]) -> Iterator[Session]:
    """A server for one session: each of *cuts* says after how many bytes another request breaks off."""
    session = Session()
    session.cuts = list(cuts)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer(200, {}, {"Location": f"{session.url}/session"})

        def do_PUT(self) -> None:
            stated, length = self.headers["Content-Range"], int(self.headers["Content-Length"])
            session.asked.append(stated)
            cut = session.cuts.pop(0) if length and session.cuts else length
            session.held += self.rfile.read(min(cut, length))
            if cut < length:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            elif len(session.held) == int(stated.rpartition("/")[2]):
                self._answer(200, {"size": str(len(session.held))}, {})
            else:
                self._answer(308, {}, {"Range": f"bytes=0-{len(session.held) - 1}"} if session.held else {})

        def _answer(self, status: int, document: dict[str, str], headers: dict[str, str]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    session.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield session
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

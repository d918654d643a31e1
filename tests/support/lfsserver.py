"""A server of Git LFS with the Batch API, for downloads: what its specification says, and nothing else.

It stands for real servers; giftless was tried by hand, see the how-to page on Git LFS.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from typing import Any

MEDIA_TYPE = "application/vnd.git-lfs+json"


@dataclass
class LfsServer:
    """``objects`` by SHA-256. ``batches``: how many objects each question was about. ``logins``: the ``Authorization``
    of each request, with its path. ``links`` replaces the address that an object is read from."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)
    logins: list[tuple[str, str | None]] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)

    def add(self, data: bytes) -> str:
        """Keep *data*; the text of its pointer."""
        oid = hashlib.sha256(data).hexdigest()
        self.objects[oid] = data
        return pointer_text(data)


def pointer_text(data: bytes) -> str:
    """As Git LFS writes it."""
    oid = hashlib.sha256(data).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(data)}\n"


@contextmanager
def lfs_server() -> Iterator[LfsServer]:
    """On a free port of this machine."""
    state = LfsServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

        def do_POST(self) -> None:
            state.logins.append((self.path, self.headers.get("Authorization")))
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/o/r.git/info/lfs/objects/batch" or self.headers["Content-Type"] != MEDIA_TYPE:
                self._answer(404, b"{}")
                return
            state.batches.append(len(body["objects"]))
            found = [self._object(each["oid"], each["size"]) for each in body["objects"]]
            self._answer(200, json.dumps({"transfer": "basic", "objects": found}).encode())

        def _object(self, oid: str, size: int) -> dict[str, Any]:
            data = state.objects.get(oid)
            if data is None:
                return {"oid": oid, "size": size, "error": {"code": 404, "message": "Object does not exist"}}
            if size != len(data):
                return {"oid": oid, "size": size, "error": {"code": 422, "message": "Object size does not match"}}
            href = state.links.get(oid, f"{state.url.removeprefix('lfs+').partition('/o/')[0]}/objects/{oid}")
            return {"oid": oid, "size": size, "actions": {"download": {"href": href, "expires_in": 600}}}

        def do_GET(self) -> None:
            state.logins.append((self.path, self.headers.get("Authorization")))
            oid = self.path.rpartition("/")[2]
            data = state.objects.get(oid)
            if data is None:
                self._answer(404, b"")
                return
            if oid in state.damaged:
                data = bytes(len(data))
            status, extra = 200, {}
            wanted = self.headers.get("Range", "")
            if wanted.startswith("bytes="):
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                end = min(int(last) + 1, len(data))
                extra = {"Content-Range": f"bytes {first}-{end - 1}/{len(data)}"}
                status, data = 206, data[int(first) : end]
            self._answer(status, data, extra)

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"lfs+http://127.0.0.1:{server.server_port}/o/r.git/info/lfs"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

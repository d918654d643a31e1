"""Counts requests and bytes of a remote: for ``-v``, tests and benchmarks."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator

from dvtool.errors import storage_error
from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem
from dvtool.remote.wrapper import RemoteWrapper


class CountingRemote(RemoteWrapper):
    """*inner*, counting calls by method name in ``calls``, and bytes in ``sent`` and ``received``.

    A call counts when it is made, its bytes when it succeeded. One call may be several requests:
    a listing one per 1,000 keys on S3, a large file one per part.
    """

    def __init__(self, inner: Remote) -> None:
        super().__init__(inner)
        self._guard = threading.Lock()
        self.calls: Counter[str] = Counter()
        self.sent = 0
        self.received = 0

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        self._count("list")
        return self._inner.list(prefix)

    def stat(self, key: str) -> RemoteItem | None:
        self._count("stat")
        return self._inner.stat(key)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        self._count("get")
        data = self._inner.get(key, start, length)
        self._add(received=len(data))
        return data

    def get_file(self, key: str, path: bytes, size: int) -> None:
        self._count("get_file")
        self._inner.get_file(key, path, size)
        self._add(received=size)

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        self._count("put")
        written = self._inner.put(key, data, create_only=create_only)
        self._add(sent=len(data) if written else 0)
        return written

    def put_file(self, key: str, path: bytes) -> None:
        self._count("put_file")
        try:
            size = os.stat(path).st_size
        except OSError as error:
            raise storage_error(error, "read", path) from error
        self._inner.put_file(key, path)
        self._add(sent=size)

    def delete(self, key: str) -> None:
        self._count("delete")
        self._inner.delete(key)

    def _count(self, method: str) -> None:
        with self._guard:
            self.calls[method] += 1

    def _add(self, *, sent: int = 0, received: int = 0) -> None:
        with self._guard:
            self.sent += sent
            self.received += received

"""Gives the requests of a remote their turn."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import TypeVar

from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem
from dvtool.remote.failures import TransientError
from dvtool.remote.pace import REQUEST_BYTES
from dvtool.remote.pace import Pace
from dvtool.remote.wrapper import RemoteWrapper

T = TypeVar("T")


class PacedRemote(RemoteWrapper):
    """*inner*, with as many requests at once as *pace* lets through, and *pace* told how they went."""

    def __init__(self, inner: Remote, pace: Pace) -> None:
        super().__init__(inner)
        self._pace = pace

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        # The slot is free again when the whole listing is here, whatever the caller does with it.
        return iter(self._paced(lambda: [*self._inner.list(prefix)]))

    def stat(self, key: str) -> RemoteItem | None:
        return self._paced(lambda: self._inner.stat(key))

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        return self._paced(lambda: self._inner.get(key, start, length), len)

    def get_each(self, sizes: Sequence[tuple[str, int]]) -> Sequence[bytes | None]:
        # One after the other, so they take one slot.
        each = super().get_each
        return self._paced(lambda: each(sizes), lambda found: sum(REQUEST_BYTES + len(data or b"") for data in found))

    def get_file(self, key: str, path: bytes, size: int) -> None:
        self._paced(lambda: self._inner.get_file(key, path, size), lambda _: size)

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        return self._paced(lambda: self._inner.put(key, data, create_only=create_only), lambda _: len(data))

    def put_file(self, key: str, path: bytes) -> None:
        self._paced(lambda: self._inner.put_file(key, path), lambda _: _size(path))

    def delete(self, key: str) -> None:
        self._paced(lambda: self._inner.delete(key))

    def close(self) -> None:
        self._pace.close()
        self._inner.close()

    def _paced(self, call: Callable[[], T], moved: Callable[[T], int] = lambda _: 0) -> T:
        try:
            with self._pace.slot() as tell:
                result = call()
                tell(moved(result))
                return result
        except TransientError as error:
            if error.overloaded:
                self._pace.overloaded(error.retry_after)
            raise


def _size(path: bytes) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0

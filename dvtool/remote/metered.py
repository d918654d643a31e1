"""Holds any remote to a rate and counts its bytes, value by value."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from collections.abc import Iterator

from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.model.ports import Remote
from dvtool.remote.failures import wrong_length
from dvtool.remote.meter import Meter
from dvtool.remote.wrapper import RemoteWrapper

_SLICE = 1 << 20


class MeteredRemote(RemoteWrapper):
    """*inner*, whose bytes are told to *meter*.

    For drivers that do not tell it themselves (`Streaming`). Under a limit a large value is read in slices, where
    *inner* has ranges; what is sent is waited for beforehand. *pause* waits so many seconds, by default until
    `close` at most.
    """

    def __init__(self, inner: Remote, meter: Meter, *, pause: Callable[[float], object] | None = None) -> None:
        super().__init__(inner)
        self._meter = meter
        self._closing = threading.Event()
        self._pause = self._closing.wait if pause is None else pause

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        if length is None or not self._is_sliced:
            data = self._inner.get(key, start, length)
            self._passed(len(data))
            return data
        return b"".join(self._slices(key, start, length)) if length else self._inner.get(key, start, length)

    def get_file(self, key: str, path: bytes, size: int) -> None:
        if not self._is_sliced or not size:
            self._inner.get_file(key, path, size)
            self._passed(size)
            return
        held = self._inner.stat(key)
        if held is None or held.size != size:
            self._inner.get_file(key, path, size)
            raise wrong_length(self.name, key, size, held.size if held else 0)
        try:
            with open(path, "wb") as target:
                target.writelines(self._slices(key, 0, size))
        except OSError as error:
            raise storage_error(error, "write", path) from error

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        self._passed(len(data))
        return self._inner.put(key, data, create_only=create_only)

    def put_file(self, key: str, path: bytes) -> None:
        try:
            size = os.stat(path).st_size
        except OSError as error:
            raise storage_error(error, "read", path) from error
        if self._meter.is_limited:
            self._passed(size)
        self._inner.put_file(key, path)
        if not self._meter.is_limited:
            self._passed(size)

    def close(self) -> None:
        self._closing.set()
        self._inner.close()

    @property
    def _is_sliced(self) -> bool:
        return self._meter.is_limited and self._inner.capabilities.ranges

    def _slices(self, key: str, start: int, length: int) -> Iterator[bytes]:
        step = max(_SLICE // 4, min(_SLICE * 8, self._meter.block * 8))
        for at in range(start, start + length, step):
            data = self._inner.get(key, at, min(step, start + length - at))
            self._passed(len(data))
            yield data

    def _passed(self, count: int) -> None:
        seconds = self._meter.passed(count)
        if seconds > 0:
            self._pause(seconds)
            if self._closing.is_set():
                raise StorageError(f"remote {self.name} was closed while it waited for its turn on the line")

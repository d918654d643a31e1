"""A remote that goes wrong on purpose at a chosen call."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from typing import TypeVar

from dvtool.model.ports import Capabilities
from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem

T = TypeVar("T")

Method = Literal["list", "stat", "get", "get_file", "put", "put_file", "delete"]


@dataclass(frozen=True)
class Fault:
    """What happens at the *at*-th call (from 1) of *method*, or of any method.

    ``error``: raised before anything is done. ``after``: raised once the inner call is done, as
    when the answer is lost. ``change``: applied to the bytes that `get` and `get_file` bring, that
    `put` and `put_file` take. ``drop_items``: so many items
    are missing at the end of a listing. ``kill``: the process ends there, as by ``kill -9``.
    ``times``: how many calls from there on go wrong.
    """

    at: int
    method: Method | None = None
    error: Exception | None = None
    after: Exception | None = None
    change: Callable[[bytes], bytes] | None = None
    drop_items: int = 0
    kill: bool = False
    times: int = 1


def flip(data: bytes) -> bytes:
    """*data* with one bit in its middle turned over."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def shorten(data: bytes) -> bytes:
    """*data* without its last byte."""
    return data[:-1]


class FaultyRemote:
    """*inner* with *faults*. ``log`` holds the calls made so far as (method, key)."""

    def __init__(self, inner: Remote, *faults: Fault) -> None:
        self._inner = inner
        self._faults = faults
        self._guard = threading.Lock()
        self.log: list[tuple[Method, str]] = []

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def url(self) -> str:
        return self._inner.url

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        fault = self._enter("list", prefix)
        items = _finish(fault, [*self._inner.list(prefix)])
        return iter(items[: len(items) - fault.drop_items] if fault and fault.drop_items else items)

    def stat(self, key: str) -> RemoteItem | None:
        fault = self._enter("stat", key)
        return _finish(fault, self._inner.stat(key))

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        fault = self._enter("get", key)
        return _changed(fault, _finish(fault, self._inner.get(key, start, length)))

    def get_file(self, key: str, path: bytes, size: int) -> None:
        fault = self._enter("get_file", key)
        self._inner.get_file(key, path, size)
        target = Path(os.fsdecode(path))
        if fault and fault.change:
            target.write_bytes(fault.change(target.read_bytes()))
        _finish(fault, None)

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        fault = self._enter("put", key)
        return _finish(fault, self._inner.put(key, _changed(fault, data), create_only=create_only))

    def put_file(self, key: str, path: bytes) -> None:
        fault = self._enter("put_file", key)
        if fault and fault.change:
            self._inner.put(key, fault.change(Path(os.fsdecode(path)).read_bytes()))
        else:
            self._inner.put_file(key, path)
        _finish(fault, None)

    def delete(self, key: str) -> None:
        fault = self._enter("delete", key)
        self._inner.delete(key)
        _finish(fault, None)

    def prepare(self) -> None:
        self._inner.prepare()

    def close(self) -> None:
        self._inner.close()

    def _enter(self, method: Method, key: str) -> Fault | None:
        with self._guard:
            self.log.append((method, key))
            same = sum(1 for called, _ in self.log if called == method)
            total = len(self.log)
        for fault in self._faults:
            number = total if fault.method is None else same
            if fault.method in {None, method} and fault.at <= number < fault.at + fault.times:
                if fault.kill:
                    os._exit(137)
                if fault.error is not None:
                    raise fault.error
                return fault
        return None


def _finish(fault: Fault | None, result: T) -> T:
    if fault and fault.after is not None:
        raise fault.after
    return result


def _changed(fault: Fault | None, data: bytes) -> bytes:
    return fault.change(data) if fault and fault.change else data

"""A part of a remote as a remote of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dvtool.model.ports import Capabilities
from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem


class View:
    """What lies below *prefix* (empty, or ending in ``/``) of *inner*; ``written`` are the keys put so far."""

    def __init__(self, inner: Remote, prefix: str = "", written: set[str] | None = None) -> None:
        self._inner = inner
        self._prefix = prefix
        self._written = set() if written is None else written

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
        for item in self._inner.list(self._prefix + prefix):
            yield self._own(item)

    def stat(self, key: str) -> RemoteItem | None:
        item = self._inner.stat(self._prefix + key)
        return None if item is None else self._own(item)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        return self._inner.get(self._prefix + key, start, length)

    def get_file(self, key: str, path: bytes, size: int) -> None:
        self._inner.get_file(self._prefix + key, path, size)

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        self._written.add(self._prefix + key)
        return self._inner.put(self._prefix + key, data, create_only=create_only)

    def put_file(self, key: str, path: bytes) -> None:
        self._written.add(self._prefix + key)
        self._inner.put_file(self._prefix + key, path)

    def delete(self, key: str) -> None:
        self._inner.delete(self._prefix + key)

    def prepare(self) -> None:
        self._inner.prepare()

    def close(self) -> None:
        self._inner.close()

    def _own(self, item: RemoteItem) -> RemoteItem:
        return replace(item, key=item.key.removeprefix(self._prefix))

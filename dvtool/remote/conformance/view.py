"""A part of a remote as a remote of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem
from dvtool.remote.wrapper import RemoteWrapper


class View(RemoteWrapper):
    """What lies below *prefix* (empty, or ending in ``/``) of *inner*. Keys that are put are added to *written*."""

    def __init__(self, inner: Remote, prefix: str = "", written: set[str] | None = None) -> None:
        super().__init__(inner)
        self._prefix = prefix
        self._written = set() if written is None else written

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        for item in super().list(self._prefix + prefix):
            yield self._own(item)

    def stat(self, key: str) -> RemoteItem | None:
        item = super().stat(self._prefix + key)
        return None if item is None else self._own(item)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        return super().get(self._prefix + key, start, length)

    def get_file(self, key: str, path: bytes, size: int) -> None:
        super().get_file(self._prefix + key, path, size)

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        self._written.add(self._prefix + key)
        return super().put(self._prefix + key, data, create_only=create_only)

    def put_file(self, key: str, path: bytes) -> None:
        self._written.add(self._prefix + key)
        super().put_file(self._prefix + key, path)

    def delete(self, key: str) -> None:
        super().delete(self._prefix + key)

    def _own(self, item: RemoteItem) -> RemoteItem:
        return replace(item, key=item.key.removeprefix(self._prefix))

"""What wrappers of a remote have in common: everything is passed on."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from dvtool.model.ports import Capabilities
from dvtool.model.ports import Expecting
from dvtool.model.ports import Gathering
from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem
from dvtool.model.ports import Unfinished
from dvtool.model.ports import Unfinishing


class RemoteWrapper:
    """*inner* as it is, with the optional parts of the port. Wrappers override what they are about."""

    def __init__(self, inner: Remote) -> None:
        self._inner = inner

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
        return self._inner.list(prefix)

    def stat(self, key: str) -> RemoteItem | None:
        return self._inner.stat(key)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        return self._inner.get(key, start, length)

    def get_file(self, key: str, path: bytes, size: int) -> None:
        self._inner.get_file(key, path, size)

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        return self._inner.put(key, data, create_only=create_only)

    def put_file(self, key: str, path: bytes) -> None:
        self._inner.put_file(key, path)

    def delete(self, key: str) -> None:
        self._inner.delete(key)

    def unfinished(self) -> Iterator[Unfinished]:
        return self._inner.unfinished() if isinstance(self._inner, Unfinishing) else iter(())

    def discard(self, left: Unfinished) -> None:
        if isinstance(self._inner, Unfinishing):
            self._inner.discard(left)

    def get_each(self, sizes: Sequence[tuple[str, int]]) -> Sequence[bytes | None]:
        return self._inner.get_each(sizes) if isinstance(self._inner, Gathering) else [None] * len(sizes)

    def expect(self, sizes: Mapping[str, int]) -> None:
        if isinstance(self._inner, Expecting):
            self._inner.expect(sizes)

    def prepare(self) -> None:
        self._inner.prepare()

    def close(self) -> None:
        self._inner.close()

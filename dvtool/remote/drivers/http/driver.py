"""A directory that a web server shows: values are read by their keys, and nothing can be listed or written."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Coroutine
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.model.ports import Capabilities
from dvtool.model.ports import RemoteItem
from dvtool.remote.drivers.http.failures import ABSENT
from dvtool.remote.drivers.http.failures import web_failure
from dvtool.remote.drivers.http.options import WebOptions
from dvtool.remote.failures import read_only
from dvtool.remote.keys import OWN
from dvtool.remote.keys import Keys
from dvtool.remote.rest import Answer
from dvtool.remote.rest import Http
from dvtool.remote.rest import whole_answer
from dvtool.remote.restread import Value
from dvtool.remote.restread import fetch
from dvtool.remote.restread import read_range

if TYPE_CHECKING:
    from aiohttp import ClientResponse

T = TypeVar("T")

_FRESH = {"Cache-Control": "no-cache"}
_NO_HEAD = frozenset({405, 501})


class HttpRemote:
    """`dvtool.model.ports.Remote` over the directory at a URL."""

    keys: Keys = OWN

    def __init__(self, options: WebOptions) -> None:
        self.capabilities = Capabilities(
            create_only=False, listing=False, server_time=False, delete=False, write=False, concurrency=8
        )
        self.name = options.name
        self.url = options.url
        self._options = options
        self._client = options.client()

    def prepare(self) -> None:
        # aiohttp takes 0.2 s to import; meanwhile the caller reads its own files.
        threading.Thread(target=self._prepare_quietly, name=f"dvtool-{self.name}", daemon=True).start()

    def close(self) -> None:
        self._client.close()

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        self.keys.prefix(prefix)
        raise StorageError(f"remote {self.name}: a web server cannot be listed")

    def stat(self, key: str) -> RemoteItem | None:
        self.keys.key(key)
        return self._client.run(lambda http: self._stat(http, key))

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        self.keys.key(key)
        return self._client.run(lambda http: self._get(http, key, start, length))

    def get_file(self, key: str, path: bytes, size: int) -> None:
        value = self._value(self.keys.key(key))
        self._client.run(lambda http: self._found(http, fetch(http, value, path, size)))

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:  # noqa: ARG002 - the port's
        self.keys.key(key)
        raise read_only(self.name, self.url)

    def put_file(self, key: str, path: bytes) -> None:  # noqa: ARG002 - the port's
        self.keys.key(key)
        raise read_only(self.name, self.url)

    def delete(self, key: str) -> None:
        self.keys.key(key)
        raise read_only(self.name, self.url)

    async def _get(self, http: Http, key: str, start: int, length: int | None) -> bytes:
        if length is None and start:
            length = max((await self._require(http, key)).size - start, 0)
        if length == 0:
            await self._require(http, key)
            return b""
        # Packs never change and may come from any cache on the way; what a whole read fetches should be fresh.
        value = self._value(key, _FRESH if length is None else {})
        return await self._found(http, read_range(http, value, start, length))

    async def _stat(self, http: Http, key: str) -> RemoteItem | None:
        for method in ("HEAD", "GET"):
            async with http.reading(self._at(key), method=method, headers=self._headers(_FRESH)) as response:
                if response.status in _NO_HEAD and method == "HEAD":
                    continue
                if response.status in ABSENT:
                    break
                if response.status != 200:
                    raise web_failure(self._options, await whole_answer(response), f"look at {key}")
                return self._item(key, response)
        await self._require_root(http)
        return None

    async def _require(self, http: Http, key: str) -> RemoteItem:
        item = await self._stat(http, key)
        if item is None:
            raise self._missing(key)
        return item

    async def _require_root(self, http: Http) -> None:
        """Raise `StorageError` where the whole place is not there: no request to a plain server can tell."""

    async def _found(self, http: Http, call: Coroutine[Any, Any, T]) -> T:
        try:
            return await call
        except MissingData:
            await self._require_root(http)
            raise

    def _item(self, key: str, response: ClientResponse) -> RemoteItem:
        # Not `content_length`, which is 0 for the answer to HEAD.
        size = response.headers.get("Content-Length", "")
        if not (size.isascii() and size.isdigit()):
            raise StorageError(f"remote {self.name}: {self._options.place.host} does not state the size of {key}")
        return RemoteItem(key, int(size), http_time(response.headers), response.headers.get("ETag"))

    def _value(self, key: str, headers: Mapping[str, str] | None = None) -> Value:
        return Value(
            self.name,
            key,
            self._at(key),
            lambda answer: self._read_failure(key, answer),
            headers=self._headers(headers or {}),
            no_ranges=self._no_ranges,
        )

    def _read_failure(self, key: str, answer: Answer) -> DvtoolError:
        return self._missing(key) if answer.status in ABSENT else web_failure(self._options, answer, f"read {key}")

    def _missing(self, key: str) -> MissingData:
        return MissingData(f"remote {self.name}: {key} is not there", path=key)

    def _no_ranges(self) -> None:
        """Some servers send everything, whatever part is asked for, and it shows only then."""
        self.capabilities = replace(self.capabilities, ranges=False)

    def _at(self, path: str) -> str:
        return f"{self._options.base}/{path}"

    def _headers(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**self._options.headers, **more}

    def _prepare_quietly(self) -> None:
        # Whatever goes wrong here goes wrong again, and is told, at the first real request.
        with contextlib.suppress(Exception):
            self._client.run(_nothing)


def http_time(headers: Mapping[str, str]) -> float | None:
    """``Last-Modified`` in Unix seconds."""
    try:
        return parsedate_to_datetime(headers.get("Last-Modified", "")).timestamp()
    except (TypeError, ValueError):
        return None


async def _nothing(http: Http) -> None:
    pass

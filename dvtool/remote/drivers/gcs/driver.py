"""Google Cloud Storage, by its JSON API.

Not through gcsfs: it holds whole bodies in memory, tries each request six times by itself, waits a minute
where the server is not Google's, and brings gRPC. One try each here; `dvtool.remote.retry` has them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.model.ports import Capabilities
from dvtool.model.ports import RemoteItem
from dvtool.remote.drivers.gcs.api import Bucket
from dvtool.remote.drivers.gcs.credentials import Credentials
from dvtool.remote.drivers.gcs.options import GcsOptions
from dvtool.remote.drivers.gcs.upload import upload
from dvtool.remote.keys import OWN
from dvtool.remote.keys import Keys
from dvtool.remote.rest import Http
from dvtool.remote.rest import RestClient
from dvtool.remote.restread import fetch
from dvtool.remote.restread import read_range

T = TypeVar("T")

_CONCURRENCY = 16
_PAGE = 1000


class GcsRemote:
    """`dvtool.model.ports.Remote` over one bucket and prefix."""

    keys: Keys = OWN

    def __init__(self, options: GcsOptions) -> None:
        self.name = options.place.name
        self.url = options.shown
        self.capabilities = Capabilities(create_only=True, concurrency=_CONCURRENCY)
        self._options = options
        self._credentials = Credentials(options)
        self._client = RestClient(
            options.place,
            options.network,
            2 * _CONCURRENCY,
            options.read_timeout,
            connect_seconds=options.connect_timeout,
        )

    def prepare(self) -> None:
        threading.Thread(target=self._prepare_quietly, name="dvtool-gcs", daemon=True).start()

    def close(self) -> None:
        self._client.close()

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        full = self._options.prefix + self.keys.prefix(prefix)
        token: str | None = None
        while True:
            items, following = self._page(full, token)
            for item in items:
                if not item.key.startswith(full):
                    raise StorageError(f"remote {self.name}: the server lists keys outside {self.url}")
                key = item.key[len(self._options.prefix) :]
                if self.keys.has(key):
                    yield RemoteItem(key, item.size, item.modified, item.etag)
            if not following:
                return
            if following == token:
                raise StorageError(f"remote {self.name}: the listing of {self.url} ended early")
            token = following

    def stat(self, key: str) -> RemoteItem | None:
        name = self._name(key)

        async def look(bucket: Bucket, _: Http) -> RemoteItem:
            return await bucket.stat(name, key)

        try:
            item = self._present(look)
        except MissingData:
            return None
        return RemoteItem(key, item.size, item.modified, item.etag)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        name = self._name(key)
        if length == 0 or (start and length is None):
            size = self._require(key).size
            if length == 0 or start >= size:
                return b""
            length = size - start

        async def read(bucket: Bucket, http: Http) -> bytes:
            return await read_range(http, await bucket.value(name, key), start, length)

        return self._present(read)

    def get_file(self, key: str, path: bytes, size: int) -> None:
        name = self._name(key)

        async def read(bucket: Bucket, http: Http) -> None:
            await fetch(http, await bucket.value(name, key), path, size)

        self._present(read)

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        name = self._name(key)
        return self._run(lambda bucket, _: bucket.write(name, key, data, create_only=create_only))

    def put_file(self, key: str, path: bytes) -> None:
        name = self._name(key)
        self._run(lambda bucket, _: upload(bucket, name, key, path))

    def delete(self, key: str) -> None:
        name = self._name(key)
        with contextlib.suppress(MissingData):
            self._present(lambda bucket, _: bucket.delete(name, key))

    def _page(self, prefix: str, token: str | None) -> tuple[Sequence[RemoteItem], str | None]:
        return self._run(lambda bucket, _: bucket.page(prefix, token, _PAGE))

    def _require(self, key: str) -> RemoteItem:
        item = self.stat(key)
        if item is None:
            raise MissingData(f"remote {self.name}: {key} is not there", path=key)
        return item

    def _present(self, call: Callable[[Bucket, Http], Coroutine[Any, Any, T]]) -> T:
        """`MissingData` from here means the key: the bucket was looked for."""

        async def calling(bucket: Bucket, http: Http) -> T:
            try:
                return await call(bucket, http)
            except MissingData:
                await bucket.require()
                raise

        return self._run(calling)

    def _run(self, call: Callable[[Bucket, Http], Coroutine[Any, Any, T]]) -> T:
        return self._client.run(lambda http: call(Bucket(http, self._options, self._credentials), http))

    def _prepare_quietly(self) -> None:
        # Whatever goes wrong here goes wrong again, and is told, at the first real request.
        with contextlib.suppress(Exception):
            self._credentials.load()

    def _name(self, key: str) -> str:
        return self._options.prefix + self.keys.key(key)

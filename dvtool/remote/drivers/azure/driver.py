"""Azure Blob Storage, on the client of Azure's own SDK.

Not through adlfs, which is a layer over the same client: it lets variables of the environment overrule what is
configured, lists directory by directory, holds blocks of 50 MiB, loses the service's error code, and leaves
a finalizer that fails when the process ends. The SDK's own retries are off: `dvtool.remote.retry` has them.
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
from dvtool.remote.calls import Calls
from dvtool.remote.drivers.azure.failures import azure_code
from dvtool.remote.drivers.azure.failures import azure_failure
from dvtool.remote.drivers.azure.failures import is_absent
from dvtool.remote.drivers.azure.failures import no_container
from dvtool.remote.drivers.azure.options import AzureOptions
from dvtool.remote.drivers.azure.session import Session
from dvtool.remote.drivers.azure.session import connect
from dvtool.remote.drivers.azure.transfer import Blobs
from dvtool.remote.fsspec_failures import http_status
from dvtool.remote.keys import OWN
from dvtool.remote.keys import Keys

T = TypeVar("T")

_CONCURRENCY = 16
_PAGE = 5000


class AzureRemote:
    """`dvtool.model.ports.Remote` over one container and prefix."""

    keys: Keys = OWN

    def __init__(self, options: AzureOptions) -> None:
        self.name = options.place.name
        self.url = options.shown
        self.capabilities = Capabilities(create_only=True, concurrency=_CONCURRENCY)
        self._options = options
        self._connecting = threading.Lock()
        self._connected: tuple[Session, Blobs, Calls] | None = None
        self._closed = False

    def prepare(self) -> None:
        threading.Thread(target=self._prepare_quietly, name="dvtool-azure", daemon=True).start()

    def close(self) -> None:
        with self._connecting:
            self._closed = True
            connected, self._connected = self._connected, None
        if connected is not None:
            session, _, calls = connected
            calls.stop(session.close())

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

        async def look(blobs: Blobs) -> RemoteItem | None:
            try:
                return await blobs.stat(name, key)
            except Exception as error:
                if not is_absent(error):
                    raise
                await self._require_container(blobs, error)
                return None

        return self._run(f"look at {key}", look)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        name = self._name(key)
        if length == 0 or (start and length is None):
            item = self.stat(key)
            if item is None:
                raise MissingData(f"remote {self.name}: {key} is not there", path=key)
            if length == 0 or start >= item.size:
                return b""
            length = item.size - start
        return self._read(key, lambda blobs: blobs.read(name, key, start, length))

    def get_file(self, key: str, path: bytes, size: int) -> None:
        name = self._name(key)
        self._read(key, lambda blobs: blobs.fetch(name, key, path, size))

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        name = self._name(key)

        async def write(blobs: Blobs) -> bool:
            try:
                await blobs.write(name, data, create_only=create_only)
            except Exception as error:
                if create_only and (azure_code(error) == "BlobAlreadyExists" or http_status(error) == 412):
                    return False
                raise
            return True

        return self._run(f"write {key}", write)

    def put_file(self, key: str, path: bytes) -> None:
        name = self._name(key)
        self._run(f"write {key}", lambda blobs: blobs.send(name, path))

    def delete(self, key: str) -> None:
        name = self._name(key)

        async def remove(blobs: Blobs) -> None:
            try:
                await blobs.delete(name)
            except Exception as error:
                if not is_absent(error):
                    raise
                await self._require_container(blobs, error)

        self._run(f"delete {key}", remove)

    def _page(self, prefix: str, token: str | None) -> tuple[Sequence[RemoteItem], str | None]:
        return self._run("list", lambda blobs: blobs.page(prefix, token, _PAGE))

    def _read(self, key: str, read: Callable[[Blobs], Coroutine[Any, Any, T]]) -> T:
        async def reading(blobs: Blobs) -> T:
            try:
                return await read(blobs)
            except Exception as error:
                if not is_absent(error):
                    raise
                await self._require_container(blobs, error)
                raise MissingData(f"remote {self.name}: {key} is not there", path=key) from None

        return self._run(f"read {key}", reading)

    async def _require_container(self, blobs: Blobs, error: Exception) -> None:
        """A 404 that says nothing of a blob may mean the container, and then nothing is "absent"."""
        if azure_code(error) == "BlobNotFound":
            return
        try:
            await blobs.page(self._options.prefix, None, 1)
        except Exception as further:
            if http_status(further) == 404:
                raise no_container(self._options) from further
            raise

    def _run(self, doing: str, call: Callable[[Blobs], Coroutine[Any, Any, T]]) -> T:
        try:
            _, blobs, calls = self._connection()
            return calls.run(call(blobs))
        except Exception as error:
            failure = azure_failure(error, self._options, doing)
            if failure is error:
                raise
            raise failure from error

    def _connection(self) -> tuple[Session, Blobs, Calls]:
        with self._connecting:
            if self._closed:
                raise StorageError(f"remote {self.name} is closed")
            if self._connected is None:
                session = connect(self._options, 2 * _CONCURRENCY)
                blobs = Blobs(session, self.name, self._options.patience)
                self._connected = (session, blobs, Calls(self.name, session.loop))
            return self._connected

    def _prepare_quietly(self) -> None:
        # Whatever goes wrong here goes wrong again, and is told, at the first real request.
        with contextlib.suppress(Exception):
            self._connection()

    def _name(self, key: str) -> str:
        return self._options.prefix + self.keys.key(key)

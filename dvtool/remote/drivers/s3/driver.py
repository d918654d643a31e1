"""S3 and S3-compatible object stores, through s3fs.

s3fs finds the credentials and keeps the session; the requests themselves are made on its
client, because its own `find` lists directory by directory, its `get_file` sets the full size
before the bytes arrive, and its errors have lost the server's code. One try each: the retries
of botocore and s3fs are off, `dvtool.remote.retry` has them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.model.ports import Capabilities
from dvtool.model.ports import RemoteItem
from dvtool.model.ports import Unfinished
from dvtool.remote.calls import Calls
from dvtool.remote.drivers.s3.failures import is_absent
from dvtool.remote.drivers.s3.failures import no_bucket
from dvtool.remote.drivers.s3.failures import response_code
from dvtool.remote.drivers.s3.failures import response_status
from dvtool.remote.drivers.s3.failures import s3_failure
from dvtool.remote.drivers.s3.light import LightReads
from dvtool.remote.drivers.s3.light import Part
from dvtool.remote.drivers.s3.options import S3Options
from dvtool.remote.drivers.s3.session import connect
from dvtool.remote.drivers.s3.transfer import download
from dvtool.remote.drivers.s3.transfer import read_range
from dvtool.remote.drivers.s3.transfer import upload
from dvtool.remote.keys import OWN
from dvtool.remote.keys import Keys
from dvtool.remote.meter import Meter

T = TypeVar("T")

_CONCURRENCY = 16
_PARTS_ON_THE_LINE = 16
_PAGE = 1000


class S3Remote:
    """`dvtool.model.ports.Remote` over one bucket and prefix."""

    keys: Keys = OWN

    def __init__(self, name: str, options: S3Options) -> None:
        self.name = name
        self.url = options.url
        self.capabilities = Capabilities(
            create_only=options.service.create_only, unfinished=options.service.unfinished, concurrency=_CONCURRENCY
        )
        self._options = options
        self._connecting = threading.Lock()
        self._connected: tuple[Any, Calls, asyncio.Semaphore] | None = None
        self._light: LightReads | None = None
        self._closed = False
        self._bucket_seen = False
        self._meter = Meter()

    def use_meter(self, meter: Meter) -> None:
        self._meter = meter

    def prepare(self) -> None:
        # Import and session take 0.4-0.5 s of CPU; meanwhile the caller reads its own files.
        threading.Thread(target=self._prepare_quietly, name="dvtool-s3", daemon=True).start()

    def close(self) -> None:
        with self._connecting:
            self._closed = True
            connected, self._connected = self._connected, None
        if connected is not None:
            client, calls, _ = connected
            if self._light is not None:
                self._light.close()
            calls.stop(client.close())

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        full = self._options.prefix + self.keys.prefix(prefix)
        token: str | None = None
        while True:
            page = self._list_page(full, token)
            for entry in page.get("Contents", ()):
                item = self._item(entry, full)
                if item is not None:
                    yield item
            if not page.get("IsTruncated"):
                return
            following = page.get("NextContinuationToken")
            if not following or following == token:
                raise StorageError(f"remote {self.name}: the listing of {self.url} ended early")
            token = following

    def stat(self, key: str) -> RemoteItem | None:
        where = self._reading(key)
        answer = self._run(f"look at {key}", lambda client, _: self._head(client, where))
        if answer is None:
            return None
        return RemoteItem(key, answer["ContentLength"], answer["LastModified"].timestamp(), answer.get("ETag"))

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        where = self._reading(key)
        if length and self._light is not None:
            (data,) = self._light.read([Part(where["Key"], start, length)], self._meter)
            if data is not None:
                return data

        def read(client: Any, _: asyncio.Semaphore) -> Coroutine[Any, Any, bytes]:
            reading = read_range(client, where, start, length, self.name, self._meter)
            if self._light is not None:
                reading = self._light.watched(where["Key"], reading)
            return self._or_missing(client, key, reading)

        return self._run(f"read {key}", read)

    def get_each(self, sizes: Sequence[tuple[str, int]]) -> Sequence[bytes | None]:
        if self._light is None:
            return [None] * len(sizes)
        return self._light.read([Part(self._where(key)["Key"], 0, size) for key, size in sizes], self._meter)

    def get_file(self, key: str, path: bytes, size: int) -> None:
        where = self._reading(key)

        async def fetch(client: Any) -> None:
            with _opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, "write") as target:
                await download(client, where, target, size, self.name, self._meter)

        self._run(f"read {key}", lambda client, _: self._or_missing(client, key, fetch(client)))

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        where = {**self._reading(key), **self._options.protection.new}
        # A server that ignores the condition would overwrite: look first, at the cost of a request.
        if create_only and self.stat(key) is not None:
            return False

        async def send(client: Any) -> bool:
            await asyncio.sleep(self._meter.passed(len(data)))
            once = create_only and self.capabilities.create_only
            sending = _put_once(client, where, data) if once else _put(client, where, data)
            return await asyncio.wait_for(sending, self._options.patience(len(data)))

        return self._run(f"write {key}", lambda client, _: send(client))

    def put_file(self, key: str, path: bytes) -> None:
        where = self._where(key)

        async def send(client: Any, slots: asyncio.Semaphore) -> None:
            with _opened(path, os.O_RDONLY, "read") as source:
                protection, idle = self._options.protection, self._options.read_timeout
                await upload(client, where, source, slots, self._meter, idle, protection)

        self._run(f"write {key}", send)

    def delete(self, key: str) -> None:
        where = self._where(key)
        self._run(f"delete {key}", lambda client, _: self._delete(client, where))

    def unfinished(self) -> Iterator[Unfinished]:
        """Multipart uploads below the prefix that were neither completed nor aborted: they cost, and no listing shows
        them."""
        markers: dict[str, str] = {}
        while True:
            page = self._uploads_page(markers)
            for entry in page.get("Uploads", ()):
                key = str(entry["Key"]).removeprefix(self._options.prefix)
                if entry["Key"].startswith(self._options.prefix) and self.keys.has(key):
                    yield Unfinished(key, None, entry["Initiated"].timestamp(), entry["UploadId"])
            if not page.get("IsTruncated"):
                return
            following = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page.get("NextUploadIdMarker", "")}
            if following == markers:
                raise StorageError(f"remote {self.name}: the listing of uploads at {self.url} ended early")
            markers = following

    def discard(self, left: Unfinished) -> None:
        where = {**self._where(left.key), "UploadId": left.handle}
        self._run(f"abort the upload of {left.key}", lambda client, _: self._abort(client, where))

    def _uploads_page(self, markers: dict[str, str]) -> dict[str, Any]:
        async def ask(client: Any) -> dict[str, Any]:
            page: dict[str, Any] = await client.list_multipart_uploads(
                Bucket=self._options.bucket, Prefix=self._options.prefix, **markers
            )
            return page

        return self._run("list unfinished uploads", lambda client, _: ask(client))

    async def _abort(self, client: Any, where: dict[str, str]) -> None:
        try:
            await client.abort_multipart_upload(**where)
        except Exception as error:
            if not is_absent(error):
                raise

    def _list_page(self, prefix: str, token: str | None) -> dict[str, Any]:
        return self._run("list", lambda client, _: self._page(client, prefix, token))

    async def _page(self, client: Any, prefix: str, token: str | None) -> dict[str, Any]:
        more = {} if token is None else {"ContinuationToken": token}
        page: dict[str, Any] = await client.list_objects_v2(
            Bucket=self._options.bucket, Prefix=prefix, MaxKeys=_PAGE, **more
        )
        self._bucket_seen = True
        return page

    def _item(self, entry: dict[str, Any], full: str) -> RemoteItem | None:
        name: str = entry["Key"]
        if not name.startswith(full):
            raise StorageError(f"remote {self.name}: the server lists keys outside {self.url}")
        key = name[len(self._options.prefix) :]
        if not self.keys.has(key):
            return None
        return RemoteItem(key, entry["Size"], entry["LastModified"].timestamp(), entry.get("ETag"))

    async def _head(self, client: Any, where: dict[str, str]) -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = await client.head_object(**where)
        except Exception as error:
            if not is_absent(error):
                raise
            await self._require_bucket(client)
            return None
        return answer

    async def _delete(self, client: Any, where: dict[str, str]) -> None:
        try:
            await client.delete_object(**where)
        except Exception as error:
            if not is_absent(error):
                raise
            await self._require_bucket(client)

    async def _or_missing(self, client: Any, key: str, call: Coroutine[Any, Any, T]) -> T:
        try:
            return await call
        except Exception as error:
            if not is_absent(error):
                raise
            await self._require_bucket(client)
            raise MissingData(f"remote {self.name}: {key} is not there", path=key) from None

    async def _require_bucket(self, client: Any) -> None:
        """A 404 to HEAD has no text: it may mean the bucket, and then nothing is "absent"."""
        if self._bucket_seen:
            return
        try:
            await client.head_bucket(Bucket=self._options.bucket)
        except Exception as error:
            if response_status(error) == 404:
                raise no_bucket(self.name, self._options) from error
            raise
        self._bucket_seen = True

    def _run(self, doing: str, call: Callable[[Any, asyncio.Semaphore], Coroutine[Any, Any, T]]) -> T:
        try:
            client, calls, slots = self._connection()
            return calls.run(call(client, slots))
        except Exception as error:
            failure = s3_failure(error, self.name, self._options, doing)
            if failure is error:
                raise
            raise failure from error

    def _connection(self) -> tuple[Any, Calls, asyncio.Semaphore]:
        with self._connecting:
            if self._closed:
                raise StorageError(f"remote {self.name} is closed")
            if self._connected is None:
                connections = 2 * self.capabilities.concurrency
                loop, client, session = connect(self._options, connections + _PARTS_ON_THE_LINE)
                self._light = LightReads(self.name, self._options, client, session, connections)
                self._connected = (client, Calls(self.name, loop), asyncio.Semaphore(_PARTS_ON_THE_LINE))
            return self._connected

    def _prepare_quietly(self) -> None:
        # Whatever goes wrong here goes wrong again, and is told, at the first real request.
        with contextlib.suppress(Exception):
            self._connection()

    def _reading(self, key: str) -> dict[str, str]:
        return {**self._where(key), **self._options.protection.body}

    def _where(self, key: str) -> dict[str, str]:
        return {"Bucket": self._options.bucket, "Key": self._options.prefix + self.keys.key(key)}


async def _put(client: Any, where: dict[str, str], data: bytes) -> bool:
    await client.put_object(**where, Body=data)
    return True


async def _put_once(client: Any, where: dict[str, str], data: bytes) -> bool:
    try:
        await client.put_object(**where, Body=data, IfNoneMatch="*")
    except Exception as error:
        if response_status(error) == 412 or response_code(error) == "PreconditionFailed":
            return False
        raise
    return True


@contextlib.contextmanager
def _opened(path: bytes, flags: int, doing: str) -> Iterator[int]:
    """Open inside the coroutine only: a cancelled one runs on for a moment, and must not write to
    a descriptor that its caller has closed and somebody else has got."""
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise storage_error(error, doing, path) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)

"""Requests on one container: blobs are read in checked parts, sent in blocks of bounded number."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator
from collections.abc import Callable
from typing import Any

from dvtool.errors import StorageError
from dvtool.model.ports import WHOLE_BYTES
from dvtool.model.ports import RemoteItem
from dvtool.remote.drivers.azure.session import Session
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import cut_short
from dvtool.remote.failures import too_long
from dvtool.remote.failures import wrong_length
from dvtool.remote.parts import opened
from dvtool.remote.parts import read_exactly
from dvtool.remote.parts import together
from dvtool.remote.parts import write_at

PART = 8 << 20
"""Bytes in one part of a large value."""

_PARTS_AT_ONCE = 4
_PARTS_ON_THE_LINE = 16
_MOST_BLOCKS = 50_000
_BLOCK = 1 << 20

_Read = Callable[[int, int], bytes]


class Blobs:
    """Runs in the session's loop. Raises what the SDK raises, and `dvtool.errors` for what it does not notice."""

    def __init__(self, session: Session, remote: str, patience: Callable[[int], float]) -> None:
        self._container = session.container
        self._options = session.options
        self._remote = remote
        self._patience = patience
        self._slots = asyncio.Semaphore(_PARTS_ON_THE_LINE)

    async def page(self, prefix: str, token: str | None, most: int) -> tuple[list[RemoteItem], str | None]:
        """One page of blobs, each with its whole name for a key, and the token of the next."""
        pages = self._container.list_blobs(
            name_starts_with=prefix or None, results_per_page=most, include=["metadata"], **self._options
        ).by_page(continuation_token=token)
        async for page in pages:
            found = [
                RemoteItem(each.name, each.size, each.last_modified.timestamp(), each.etag)
                async for each in page
                if not _is_directory(each)
            ]
            return found, pages.continuation_token
        return [], None

    async def stat(self, name: str, key: str) -> RemoteItem | None:
        held = await self._blob(name).get_blob_properties(**self._options)
        if _is_directory(held):
            return None
        return RemoteItem(key, held.size, held.last_modified.timestamp(), held.etag)

    async def read(self, name: str, key: str, start: int, length: int | None) -> bytes:
        """*length* bytes from *start*, or all (*start* is 0)."""
        return await self._part(name, _Part(self._remote, key, start, length))

    async def fetch(self, name: str, key: str, path: bytes, size: int) -> None:
        """Write the whole value into *path*; after a failure it holds a beginning of it."""
        with opened(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, "write") as target:
            count = max(1, -(-size // PART))
            written = [0] * count
            numbers = iter(range(count))
            tags: set[str] = set()

            async def fetch_each() -> None:
                for number in numbers:
                    start = number * PART
                    part = _Part(self._remote, key, start, min(PART, size - start) or None, size)
                    data = await self._part(name, part)
                    tags.add(part.tag)
                    if len(tags) > 1:
                        raise TransientError(f"remote {self._remote}: {key} was replaced while it was read")
                    write_at(target, data, start)
                    written[number] = len(data)

            try:
                await together(fetch_each() for _ in range(min(_PARTS_AT_ONCE, count)))
            except BaseException:
                whole = next((number for number, bytes_ in enumerate(written) if not bytes_), count)
                with contextlib.suppress(OSError):
                    os.ftruncate(target, sum(written[:whole]))
                raise

    async def write(self, name: str, data: bytes, *, create_only: bool) -> None:
        await self._store(name, len(data), lambda start, length: data[start : start + length], create_only=create_only)

    async def send(self, name: str, path: bytes) -> None:
        """Upload a file. What a broken upload leaves are blocks without a blob, which the service forgets in a week."""
        with opened(path, os.O_RDONLY, "read") as source:
            size = os.fstat(source).st_size
            await self._store(name, size, lambda start, length: read_exactly(source, start, length), create_only=False)

    async def _store(self, name: str, size: int, read: _Read, *, create_only: bool) -> None:
        blob = self._blob(name)
        if size <= _BLOCK:
            sending = blob.upload_blob(read(0, size), length=size, overwrite=not create_only, **self._options)
            await asyncio.wait_for(sending, self._patience(size))
            return
        from azure.core import MatchConditions
        from azure.storage.blob import BlobBlock

        part = max(PART, -(-size // _MOST_BLOCKS))
        run = secrets.token_hex(4)
        blocks = [b64encode(f"{run}-{number:06}".encode()).decode() for number in range(-(-size // part))]
        numbers = iter(range(len(blocks)))

        async def send_each() -> None:
            for number in numbers:
                start = number * part
                await self._stage(blob, blocks[number], start, min(part, size - start), read)

        await together(send_each() for _ in range(min(_PARTS_AT_ONCE, len(blocks))))
        condition = {"match_condition": MatchConditions.IfMissing} if create_only else {}
        await blob.commit_block_list([BlobBlock(block) for block in blocks], **condition, **self._options)

    async def _stage(self, blob: Any, block: str, start: int, length: int, read: _Read) -> None:
        trouble: list[StorageError] = []

        async def body() -> AsyncIterator[bytes]:
            for at in range(start, start + length, _BLOCK):
                try:
                    data = read(at, min(_BLOCK, start + length - at))
                except StorageError as error:
                    # The HTTP client would take it for trouble with the connection.
                    trouble.append(error)
                    raise
                yield data

        async with self._slots:
            staging = blob.stage_block(block, body(), length=length, **self._options)
            try:
                await asyncio.wait_for(staging, self._patience(length))
            except Exception:
                if trouble:
                    raise trouble[0] from None
                raise

    async def delete(self, name: str) -> None:
        await self._blob(name).delete_blob(**self._options)

    async def _part(self, name: str, part: _Part) -> bytes:
        ranged = {} if part.length is None else {"offset": part.start, "length": part.length}
        stream = await self._blob(name).download_blob(
            **ranged, max_concurrency=1, raw_request_hook=part.asked, raw_response_hook=part.answered, **self._options
        )
        data: bytes = await stream.readall()
        if len(data) != part.stated:
            raise cut_short(part.remote, part.key, part.start + part.stated, part.start + len(data))
        return data

    def _blob(self, name: str) -> Any:
        return self._container.get_blob_client(name)


class _Part:
    """One read, watched: the SDK takes whatever body comes, however long, and asks again by itself when it breaks."""

    def __init__(self, remote: str, key: str, start: int, length: int | None, size: int | None = None) -> None:
        self.remote = remote
        self.key = key
        self.start = start
        self.length = length
        self.stated = 0
        self.tag = ""
        self._size = size
        self._status = 0

    def asked(self, _: Any) -> None:
        # Asking again is right only for an empty blob, of which no part can be had.
        if self._status not in (0, 416):
            raise cut_short(self.remote, self.key, self.start + self.stated, self.start)

    def answered(self, answer: Any) -> None:
        try:
            self._check(answer.http_response)
        except StorageError:
            # Nobody will read the rest of it, which may have no end.
            answer.http_response.internal_response.close()
            raise

    def _check(self, response: Any) -> None:
        self._status = response.status_code
        if self._status == 416 and self.length is not None:
            if self._size is not None:
                raise wrong_length(self.remote, self.key, self._size, _total(response))
            raise StorageError(f"remote {self.remote}: {self.key} ends before byte {self.start}", path=self.key)
        if self._status not in (200, 206):
            return
        stated = response.headers.get("Content-Length", "")
        if not stated.isdigit():
            raise StorageError(f"remote {self.remote}: the server does not state the length of {self.key}")
        self.stated = int(stated)
        self.tag = response.headers.get("ETag", "")
        total = _total(response)
        if self._size is not None and total != self._size:
            raise wrong_length(self.remote, self.key, self._size, total)
        if self.length is None:
            if self.stated > WHOLE_BYTES or total > WHOLE_BYTES:
                raise too_long(self.remote, self.key, WHOLE_BYTES)
        elif self._status == 200 or not _range(response).startswith(f"bytes {self.start}-"):
            raise StorageError(f"remote {self.remote}: the server ignores that only a part of {self.key} was asked for")
        elif self.stated != self.length:
            raise wrong_length(self.remote, self.key, self.start + self.length, self.start + self.stated)


def _is_directory(held: Any) -> bool:
    """Accounts with a hierarchical namespace list directories as blobs."""
    return str((held.metadata or {}).get("hdi_isfolder", "")).lower() == "true"


def _range(response: Any) -> str:
    return str(response.headers.get("Content-Range", ""))


def _total(response: Any) -> int:
    total = _range(response).rpartition("/")[2] or response.headers.get("Content-Length", "")
    return int(total) if total.isdigit() else 0

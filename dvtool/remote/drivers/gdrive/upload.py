"""Content on its way to Google Drive: in one request when it is small, else in a session that survives cuts."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator

from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.remote.drivers.gdrive.api import DriveApi
from dvtool.remote.drivers.gdrive.api import Entry
from dvtool.remote.drivers.gdrive.api import entry_of
from dvtool.remote.failures import TransientError
from dvtool.remote.rest import Answer
from dvtool.remote.retry import TRIES
from dvtool.remote.retry import backoff

SMALL = 5 << 20
"""The most that Google takes in one request together with a file's name."""

CHUNK = 32 << 20
"""Bytes of one request of a session; Google asks for a multiple of 256 KiB."""

_BLOCK = 1 << 20


class Content:
    """The bytes of a value, in memory or behind a descriptor."""

    def __init__(self, data: bytes | int) -> None:
        self._data = data
        self.size = len(data) if isinstance(data, bytes) else os.fstat(data).st_size
        self.trouble: StorageError | None = None

    def read(self, start: int, length: int) -> bytes:
        """So many bytes; raises `StorageError` if they cannot be had (any more)."""
        if isinstance(self._data, bytes):
            return self._data[start : start + length]
        parts: list[bytes] = []
        while length:
            try:
                part = os.pread(self._data, length, start)
            except OSError as error:
                raise storage_error(error, "read the file being sent") from error
            if not part:
                raise StorageError("the file being sent became shorter while it was read")
            parts.append(part)
            start += len(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def md5(self) -> str:
        digest = hashlib.md5(usedforsecurity=False)
        for start in range(0, self.size, _BLOCK):
            digest.update(self.read(start, min(_BLOCK, self.size - start)))
        return digest.hexdigest()

    async def blocks(self, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of a request. What fails here is kept in ``trouble``: the HTTP client would hide it."""
        while start < end:
            try:
                block = self.read(start, min(_BLOCK, end - start))
            except StorageError as error:
                self.trouble = error
                raise
            yield block
            start += len(block)


async def send(api: DriveApi, name: str, parent: str, replaces: str | None, content: Content, doing: str) -> Entry:
    """Upload *content* as the file *name* in *parent*, or instead of the content of *replaces*.

    It becomes visible whole or not at all. Raises `TransientError` when what arrived is not what was sent.
    """
    if content.size <= SMALL:
        data = content.read(0, content.size)
        made = await api.upload(name, parent, replaces, data, doing)
    else:
        session = await api.begin_upload(name, parent, replaces, content.size, doing)
        made = await _Session(api, session, content, doing).run()
    if made.size != content.size or (made.md5 is not None and made.md5 != await _md5(content)):
        if replaces is None:
            await api.remove(made.id)
        raise TransientError(f"cannot {doing}: Google Drive received other bytes than were sent")
    return made


async def _md5(content: Content) -> str:
    return await asyncio.get_running_loop().run_in_executor(None, content.md5)


class _Session:
    def __init__(self, api: DriveApi, url: str, content: Content, doing: str) -> None:
        self._api = api
        self._url = url
        self._content = content
        self._doing = doing

    async def run(self) -> Entry:
        """The finished file. After a failure Google is asked how far it got, and sending goes on from there."""
        offset = failures = 0
        is_known = True
        while True:
            try:
                if not is_known:
                    held = await self._ask_offset()
                    if isinstance(held, Entry):
                        return held
                    failures = 0 if held > offset else failures
                    offset, is_known = held, True
                sent = await self._send_from(offset)
                if isinstance(sent, Entry):
                    return sent
                if sent <= offset:
                    raise TransientError(f"cannot {self._doing}: Google Drive takes no more bytes")
                offset, failures = sent, 0
            except _SessionLost:
                raise
            except TransientError as error:
                is_known = False
                failures += 1
                if failures >= TRIES:
                    raise
                await asyncio.sleep(backoff(failures, error.retry_after))

    async def _send_from(self, offset: int) -> Entry | int:
        content = self._content
        end = min(offset + CHUNK, content.size)
        headers = {
            "Content-Length": str(end - offset),
            "Content-Range": f"bytes {offset}-{end - 1}/{content.size}",
        }
        try:
            answer = await self._api.ask("PUT", self._url, None, headers, content.blocks(offset, end), end - offset)
        except TransientError:
            if content.trouble is not None:
                raise content.trouble from None
            raise
        return self._progress(answer)

    async def _ask_offset(self) -> Entry | int:
        headers = {"Content-Range": f"bytes */{self._content.size}"}
        return self._progress(await self._api.ask("PUT", self._url, None, headers, b""))

    def _progress(self, answer: Answer) -> Entry | int:
        """The finished file, or how many bytes Google has got so far."""
        if answer.status in (200, 201):
            return entry_of(answer)
        if answer.status == 308:
            _, _, last = answer.headers.get("range", "").rpartition("-")
            return min(int(last) + 1, self._content.size) if last.isdigit() else 0
        if answer.status in (404, 410):
            raise _SessionLost(f"cannot {self._doing}: Google Drive forgot the upload")
        raise self._api.failure(answer, self._doing)


class _SessionLost(TransientError):
    """The session is over before the value was complete: only a new one helps."""

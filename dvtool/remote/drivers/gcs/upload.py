"""Files on their way to Google Cloud Storage: one request when small, else a session that survives cuts."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator

from dvtool.errors import StorageError
from dvtool.remote.drivers.gcs.api import Bucket
from dvtool.remote.failures import TransientError
from dvtool.remote.parts import opened
from dvtool.remote.parts import read_exactly
from dvtool.remote.rest import Answer
from dvtool.remote.retry import TRIES
from dvtool.remote.retry import backoff

SMALL = 8 << 20
"""The largest value that travels in one request."""

_BLOCK = 1 << 20
_MORE = 308
_HELD = re.compile(r"(?:bytes[= ])0-(\d+)", re.ASCII)


async def upload(bucket: Bucket, name: str, key: str, path: bytes) -> None:
    """Send the file *path*; it becomes visible whole or not at all. A block of it is in memory."""
    with opened(path, os.O_RDONLY, "read") as source:
        size = os.fstat(source).st_size
        if size <= SMALL:
            await bucket.write(name, key, read_exactly(source, 0, size), create_only=False)
            return
        session = await bucket.begin(name, key, size)
        bucket.check_size(await _Sending(bucket, session, source, size).run(), key, size)


class _Sending:
    def __init__(self, bucket: Bucket, session: str, source: int, size: int) -> None:
        self._bucket = bucket
        self._session = session
        self._source = source
        self._size = size
        self._trouble: StorageError | None = None

    async def run(self) -> Answer:
        """The last answer. After a cut the server is asked how far it got, and sending goes on from there."""
        at = failures = 0
        is_known = True
        while True:
            try:
                if not is_known:
                    answer = await self._bucket.send(self._session, f"bytes */{self._size}", b"", 0)
                    if answer.status != _MORE:
                        return _checked(answer)
                    held = _held(answer)
                    failures, at, is_known = (0 if held > at else failures), held, True
                place = f"bytes {at}-{self._size - 1}/{self._size}"
                answer = await self._bucket.send(self._session, place, self._blocks(at), self._size - at)
                if answer.status != _MORE:
                    return _checked(answer)
                raise TransientError("the server took a part of an upload only")
            except (TransientError, asyncio.TimeoutError) as error:
                if self._trouble is not None:
                    raise self._trouble from None
                failures += 1
                if failures >= TRIES:
                    raise
                is_known = False
                await asyncio.sleep(backoff(failures, getattr(error, "retry_after", None)))

    async def _blocks(self, at: int) -> AsyncIterator[bytes]:
        while at < self._size:
            try:
                block = read_exactly(self._source, at, min(_BLOCK, self._size - at))
            except StorageError as error:
                # The HTTP client would take it for trouble with the connection.
                self._trouble = error
                raise
            yield block
            at += len(block)


def _checked(answer: Answer) -> Answer:
    if answer.status >= 500 or answer.status in (408, 429):
        raise TransientError(f"the server answers {answer.status} to a part of an upload")
    return answer


def _held(answer: Answer) -> int:
    found = _HELD.fullmatch(answer.headers.get("range", ""))
    return int(found[1]) + 1 if found else 0

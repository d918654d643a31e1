"""Bodies of S3 objects: read in parts that are streamed, sent in parts of bounded number."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Coroutine
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.model.ports import WHOLE_BYTES
from dvtool.remote.drivers.s3.body import send_part
from dvtool.remote.drivers.s3.failures import response_status
from dvtool.remote.drivers.s3.protection import UNPROTECTED
from dvtool.remote.drivers.s3.protection import Protection
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import cut_short
from dvtool.remote.failures import too_long
from dvtool.remote.failures import wrong_length
from dvtool.remote.meter import Meter

PART = 8 << 20
"""Bytes in one part, and the largest value that travels in one request."""

PARTS_AT_ONCE = 4
_MOST_PARTS = 10_000
_READ = 1 << 20
_Where = dict[str, str]


async def read_range(client: Any, where: _Where, start: int, length: int | None, remote: str, meter: Meter) -> bytes:
    """*length* bytes from *start*, or all that follow it. Raises `StorageError` for a short value."""
    key = where["Key"]
    if length == 0 or (start and length is None):
        total = (await client.head_object(**where))["ContentLength"]
        if length is None:
            length = max(total - start, 0)
        elif start > total:
            raise wrong_length(remote, key, start, total)
        if length == 0:
            return b""
    asked = {} if length is None else {"Range": f"bytes={start}-{start + length - 1}"}
    try:
        answer = await client.get_object(**where, **asked)
    except Exception as error:
        if response_status(error) == 416:
            raise StorageError(f"remote {remote}: {key} ends before byte {start}", path=key) from error
        raise
    async with answer["Body"] as body:
        if length is not None:
            _check_answer(answer, remote, key, start, length)
        data = await _whole(body, remote, key, WHOLE_BYTES if length is None else length, meter)
    expected = answer.get("ContentLength", len(data)) if length is None else length
    if len(data) != expected:
        raise cut_short(remote, key, expected, len(data))
    return data


async def _whole(body: Any, remote: str, key: str, most: int, meter: Meter) -> bytes:
    """All of a body, which a server could make longer than it said, or endless."""
    parts: list[bytes] = []
    left = most
    while part := await body.read(_read_size(meter)):
        left -= len(part)
        if left < 0:
            raise too_long(remote, key, most)
        parts.append(part)
        await _passed(meter, len(part))
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _read_size(meter: Meter) -> int:
    return meter.block if meter.is_limited else _READ


async def _passed(meter: Meter, count: int) -> None:
    seconds = meter.passed(count)
    if seconds > 0:
        await asyncio.sleep(seconds)


async def download(client: Any, where: _Where, target: int, size: int, remote: str, meter: Meter) -> None:
    """Write the whole value of *size* bytes into the descriptor *target*.

    After a failure *target* holds a beginning of the value: it is cut where the first gap was.
    """
    work = _Download(client, where, target, size, remote, meter)
    try:
        await work.run()
    except BaseException:
        with contextlib.suppress(OSError):
            os.ftruncate(target, work.complete())
        raise


async def upload(
    client: Any,
    where: _Where,
    source: int,
    slots: asyncio.Semaphore,
    meter: Meter,
    idle: float,
    protection: Protection = UNPROTECTED,
) -> None:
    """Send all bytes of the descriptor *source*.

    *slots* bounds the parts of all uploads on the line; nothing may stand still for *idle* seconds.
    """
    new = {**where, **protection.body, **protection.new}
    size = os.fstat(source).st_size
    if size <= PART:
        async with slots:
            await send_part(lambda body: client.put_object(**new, Body=body or b""), source, 0, size, meter, idle)
        return
    part = max(PART, -(-size // _MOST_PARTS))
    started = await client.create_multipart_upload(**new)
    where = {**where, "UploadId": started["UploadId"]}
    try:
        count = -(-size // part)
        tags: list[str] = [""] * count
        numbers = iter(range(count))

        async def send(number: int) -> None:
            start = number * part
            answer = await send_part(
                lambda body: client.upload_part(**where, **protection.body, PartNumber=number + 1, Body=body),
                source,
                start,
                min(part, size - start),
                meter,
                idle,
            )
            tags[number] = answer["ETag"]

        async def send_each() -> None:
            for number in numbers:
                async with slots:
                    await send(number)

        await _together(send_each() for _ in range(min(PARTS_AT_ONCE, count)))
        parts = [{"PartNumber": number + 1, "ETag": tag} for number, tag in enumerate(tags)]
        await client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    except BaseException:
        with contextlib.suppress(Exception):
            await client.abort_multipart_upload(**where)
        raise


class _Download:
    def __init__(self, client: Any, where: _Where, target: int, size: int, remote: str, meter: Meter) -> None:
        self._client = client
        self._where = where
        self._target = target
        self._size = size
        self._remote = remote
        self._meter = meter
        self._tag: str | None = None
        self._written = [0] * max(1, -(-size // PART))

    async def run(self) -> None:
        if self._size <= PART:
            await self._fetch(0, ranged=False)
            return
        numbers = iter(range(len(self._written)))
        await _together(self._fetch_each(numbers) for _ in range(PARTS_AT_ONCE))

    def complete(self) -> int:
        """How many bytes from the start have arrived without a gap."""
        for number, written in enumerate(self._written):
            if written < PART:
                return number * PART + written
        return len(self._written) * PART

    async def _fetch_each(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            await self._fetch(number, ranged=True)

    async def _fetch(self, number: int, *, ranged: bool) -> None:
        start = number * PART
        length = min(PART, self._size - start)
        asked = {"Range": f"bytes={start}-{start + length - 1}"} if ranged else {}
        answer = await self._client.get_object(**self._where, **asked)
        key = self._where["Key"]
        async with answer["Body"] as body:
            if ranged:
                _check_answer(answer, self._remote, key, start, length, self._size)
            elif answer["ContentLength"] != length:
                raise wrong_length(self._remote, key, length, answer["ContentLength"])
            self._check_tag(answer.get("ETag"), key)
            while data := await body.read(min(_read_size(self._meter), length - self._written[number] + 1)):
                if self._written[number] + len(data) > length:
                    raise StorageError(f"remote {self._remote}: more of {key} arrives than was asked for")
                _write_at(self._target, data, start + self._written[number])
                self._written[number] += len(data)
                await _passed(self._meter, len(data))
        if self._written[number] != length:
            raise cut_short(self._remote, key, self._size, start + self._written[number])

    def _check_tag(self, tag: str | None, key: str) -> None:
        if self._tag is None:
            self._tag = tag
        elif tag != self._tag:
            raise TransientError(f"remote {self._remote}: {key} was replaced while it was read")


def _check_answer(
    answer: dict[str, Any], remote: str, key: str, start: int, length: int, size: int | None = None
) -> None:
    stated = str(answer.get("ContentRange", ""))
    total = stated.rpartition("/")[2]
    if not stated.startswith(f"bytes {start}-"):
        raise StorageError(f"remote {remote}: the server ignores that only a part of {key} was asked for")
    if size is not None and total.isdigit() and int(total) != size:
        raise wrong_length(remote, key, size, int(total))
    if answer["ContentLength"] != length:
        raise wrong_length(remote, key, start + length, start + answer["ContentLength"])


async def _together(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all; at the first failure cancel the others and wait until they are over."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _write_at(target: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        try:
            done = os.pwrite(target, rest, offset)
        except OSError as error:
            raise storage_error(error, "write the file being fetched") from error
        offset += done
        rest = rest[done:]

"""Values read over HTTP: whole, by range, into a file. Answers are checked before they are believed."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.model.ports import WHOLE_BYTES
from dvtool.remote.failures import cut_short
from dvtool.remote.failures import too_long
from dvtool.remote.failures import wrong_length
from dvtool.remote.rest import Answer
from dvtool.remote.rest import Http
from dvtool.remote.rest import whole_answer

if TYPE_CHECKING:
    from aiohttp import ClientResponse

_READ = 1 << 20


@dataclass(frozen=True, slots=True)
class Value:
    """Where *key* of *remote* is read. *failed* says what an answer other than 200 and 206 means;
    *no_ranges* hears that the server sends everything, whatever part is asked for."""

    remote: str
    key: str
    url: str
    failed: Callable[[Answer], DvtoolError]
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    no_ranges: Callable[[], None] = lambda: None


async def read_range(http: Http, value: Value, start: int, length: int | None) -> bytes:
    """*length* bytes (at least 1) from *start*, or with None all of it (*start* is 0). Raises `StorageError`."""
    if length is None:
        async with http.reading(value.url, params=value.params, headers=value.headers) as response:
            await _accept(value, response, (200,))
            return await _body(value, response, WHOLE_BYTES)
    asked = {**value.headers, "Range": f"bytes={start}-{start + length - 1}"}
    async with http.reading(value.url, params=value.params, headers=asked) as response:
        if response.status == 416:
            raise StorageError(f"remote {value.remote}: {value.key} ends before byte {start}", path=value.key)
        await _accept(value, response, (200, 206))
        _check_range(value, response, start, length)
        if response.status == 200 and (start or response.content_length != length):
            value.no_ranges()
            data = await _middle(response, start, length)
        else:
            data = await _body(value, response, length)
    if len(data) != length:
        raise cut_short(value.remote, value.key, start + length, start + len(data))
    return data


async def fetch(http: Http, value: Value, path: bytes, size: int) -> None:
    """Write the value of *size* bytes into the file *path*: in order, so that after a failure it holds a beginning."""
    try:
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise storage_error(error, "write", path) from error
    try:
        async with http.reading(value.url, params=value.params, headers=value.headers) as response:
            await _accept(value, response, (200,))
            stated = response.content_length
            if stated is not None and stated != size:
                raise wrong_length(value.remote, value.key, size, stated)
            got = 0
            while part := await response.content.read(min(_READ, size - got + 1)):
                if got + len(part) > size:
                    raise StorageError(f"remote {value.remote}: more of {value.key} arrives than it has")
                _write(target, part, path)
                got += len(part)
        if got != size:
            raise cut_short(value.remote, value.key, size, got)
    finally:
        os.close(target)


async def _accept(value: Value, response: ClientResponse, statuses: tuple[int, ...]) -> None:
    if response.status not in statuses:
        raise value.failed(await whole_answer(response))


def _check_range(value: Value, response: ClientResponse, start: int, length: int) -> None:
    stated = response.headers.get("Content-Range", "")
    if response.status == 206 and not stated.startswith(f"bytes {start}-"):
        raise StorageError(f"remote {value.remote}: the server sends another part of {value.key} than was asked for")
    if response.status == 200:
        if response.content_length is not None and response.content_length < start + length:
            raise wrong_length(value.remote, value.key, start + length, response.content_length)
        return
    if response.content_length is not None and response.content_length != length:
        raise wrong_length(value.remote, value.key, start + length, start + response.content_length)


async def _middle(response: ClientResponse, start: int, length: int) -> bytes:
    """*length* bytes from *start* of a server that sends everything; the rest is not read."""
    at, parts = 0, []
    while at < start + length and (part := await response.content.read(min(_READ, start + length - at))):
        if at + len(part) > start:
            parts.append(part[max(start - at, 0) :])
        at += len(part)
    return b"".join(parts)


async def _body(value: Value, response: ClientResponse, most: int) -> bytes:
    """All of a body, which a server could make longer than it said, or endless."""
    parts: list[bytes] = []
    left = most
    while part := await response.content.read(_READ):
        left -= len(part)
        if left < 0:
            raise too_long(value.remote, value.key, most)
        parts.append(part)
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    stated = response.content_length
    if stated is not None and len(data) != stated:
        raise cut_short(value.remote, value.key, stated, len(data))
    return data


def _write(target: int, data: bytes, path: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(target, rest) :]
        except OSError as error:
            raise storage_error(error, "write", path) from error

"""A directory on a WebDAV server.

A file that is being sent shows before it is complete, so values go to ``tmp/`` and are moved; and it is the
move that can be refused where the name is taken. A directory is listed level by level: there are servers that
answer the question for a whole tree with one level of it, and do not say so.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from urllib.parse import quote
from urllib.parse import unquote
from urllib.parse import urlsplit

from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.model.ports import Capabilities
from dvtool.model.ports import RemoteItem
from dvtool.model.ports import Unfinished
from dvtool.remote.drivers.http.driver import HttpRemote
from dvtool.remote.drivers.http.failures import ABSENT
from dvtool.remote.drivers.http.failures import web_failure
from dvtool.remote.drivers.http.options import WebOptions
from dvtool.remote.drivers.webdav.multistatus import QUESTION
from dvtool.remote.drivers.webdav.multistatus import NotMultistatus
from dvtool.remote.drivers.webdav.multistatus import Resource
from dvtool.remote.drivers.webdav.multistatus import resources
from dvtool.remote.keys import OWN
from dvtool.remote.keys import TEMPORARY
from dvtool.remote.keys import is_key
from dvtool.remote.rest import Answer
from dvtool.remote.rest import Body
from dvtool.remote.rest import Http

_BLOCK = 256 << 10
_AT_ONCE = 8
_DONE = frozenset({200, 201, 204})
_LOCKED = 423
_LOCKED_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Some servers lock the directory above for a moment at each change, and refuse others meanwhile."""
_NO_PARENT = frozenset({404, 409})
_MAYBE_NO_PARENT = frozenset({403, 404, 409, 500})

Blocks = Callable[[], Body]


class WebDavRemote(HttpRemote):
    """`dvtool.model.ports.Remote` over the collection at a URL."""

    def __init__(self, options: WebOptions) -> None:
        super().__init__(options)
        self.capabilities = Capabilities(create_only=True, unfinished=True, concurrency=8)
        self._root = unquote(urlsplit(options.base).path)
        self._root_seen = False
        self._made: set[str] = set()
        self._making = asyncio.Lock()

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        top = self.keys.prefix(prefix)
        return iter(sorted(self._client.run(lambda http: self._walk(http, top)), key=lambda item: item.key))

    async def _stat(self, http: Http, key: str) -> RemoteItem | None:
        # To HEAD a directory may answer like a file: with the page that shows it.
        if self.keys is not OWN:
            answer = await self._propfind(http, key, "0")
            if answer.status == 207 and any(each.is_collection for each in self._resources(answer)):
                raise StorageError(f"remote {self.name}: {key} is not a file")
        return await super()._stat(http, key)

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        self.keys.key(key)
        size = len(data)
        return self._client.run(
            lambda http: self._store(http, key, lambda: _slices(data), size, replace=not create_only)
        )

    def put_file(self, key: str, path: bytes) -> None:
        self.keys.key(key)
        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise storage_error(error, "read", path) from error
        with os.fdopen(source, "rb", buffering=0) as file:
            size = os.fstat(source).st_size
            trouble: list[StorageError] = []

            def blocks() -> Body:
                return _blocks(file.fileno(), size, trouble)

            try:
                self._client.run(lambda http: self._store(http, key, blocks, size, replace=True))
            except StorageError:
                # aiohttp takes it for trouble with the connection.
                if trouble:
                    raise trouble[0] from None
                raise

    def delete(self, key: str) -> None:
        self.keys.key(key)
        self._client.run(lambda http: self._delete(http, key, f"delete {key}"))

    def unfinished(self) -> Iterator[Unfinished]:
        for each in self._client.run(lambda http: self._children(http, TEMPORARY)):
            name = each.path.rpartition("/")[2]
            if not each.is_collection and is_key(name) and each.modified is not None:
                yield Unfinished(TEMPORARY + name, each.size, each.modified, TEMPORARY + name)

    def discard(self, left: Unfinished) -> None:
        self._client.run(lambda http: self._delete(http, left.handle, "delete an unfinished upload"))

    def _at(self, path: str) -> str:
        return super()._at(quote(path, safe="/:@!$&'()*+,;=~"))

    async def _store(self, http: Http, key: str, body: Blocks, size: int, *, replace: bool) -> bool:
        doing = f"write {key}"
        await self._require_writable(http)
        # The move is refused where the name is taken; to look first spares sending the bytes.
        if not replace and await self._stat(http, key) is not None:
            return False
        temporary = TEMPORARY + secrets.token_hex(12)
        try:
            await self._send(http, temporary, body, size, doing)
            return await self._move(http, temporary, key, doing, replace=replace)
        except BaseException:
            with contextlib.suppress(Exception):
                await self._ask(http, "DELETE", temporary)
            raise

    async def _send(self, http: Http, path: str, body: Blocks, size: int, doing: str) -> None:
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        answer = await self._ask(http, "PUT", path, headers, body(), size)
        if answer.status in _NO_PARENT:
            self._made.clear()
            await self._make(http, path)
            answer = await self._ask(http, "PUT", path, headers, body(), size)
        if answer.status not in _DONE:
            raise web_failure(self._options, answer, doing)

    async def _move(self, http: Http, temporary: str, key: str, doing: str, *, replace: bool) -> bool:
        headers = {"Destination": self._at(key), "Overwrite": "T" if replace else "F"}
        answer = await self._ask(http, "MOVE", temporary, headers)
        if answer.status in _MAYBE_NO_PARENT:
            await self._make(http, key)
            answer = await self._ask(http, "MOVE", temporary, headers)
        if answer.status == 412 and not replace:
            await self._ask(http, "DELETE", temporary)
            return False
        if answer.status not in _DONE:
            raise web_failure(self._options, answer, doing)
        return True

    async def _make(self, http: Http, path: str) -> None:
        """The collections above *path*, from the root downwards. One that is there already is answered with 405."""
        names = path.split("/")[:-1]
        async with self._making:
            for depth in range(1, len(names) + 1):
                folder = "/".join(names[:depth]) + "/"
                if folder not in self._made:
                    await self._make_one(http, folder)
                    self._made.add(folder)

    async def _make_one(self, http: Http, folder: str) -> None:
        answer = await self._ask(http, "MKCOL", folder)
        if answer.status not in (*_DONE, 405):
            raise web_failure(self._options, answer, f"create {folder or self.url}")

    async def _delete(self, http: Http, path: str, doing: str) -> None:
        answer = await self._ask(http, "DELETE", path)
        if answer.status in ABSENT:
            await self._require_root(http)
        elif answer.status not in _DONE:
            raise web_failure(self._options, answer, doing)

    async def _walk(self, http: Http, top: str) -> Sequence[RemoteItem]:
        found: list[RemoteItem] = []
        slots = asyncio.Semaphore(_AT_ONCE)

        async def look(folder: str) -> Sequence[str]:
            async with slots:
                children = await self._children(http, folder)
            below = []
            for each in children:
                key = folder + each.path.rstrip("/").rpartition("/")[2]
                if each.is_collection:
                    if self.keys.enters(f"{key}/"):
                        below.append(f"{key}/")
                elif self.keys.has(key):
                    if each.size is None:
                        raise StorageError(f"remote {self.name}: the server does not state the size of {key}")
                    found.append(RemoteItem(key, each.size, each.modified, each.etag))
            return below

        level = [top]
        while level:
            below = await asyncio.gather(*map(look, level))
            level = [folder for folders in below for folder in folders]
        return found

    async def _children(self, http: Http, folder: str) -> Sequence[Resource]:
        answer = await self._propfind(http, folder, "1")
        if answer.status in ABSENT:
            await self._require_root(http)
            return []
        if answer.status != 207:
            raise web_failure(self._options, answer, f"list {folder or self.url}")
        here = f"{self._root}/{folder}".rstrip("/")
        children = []
        for each in self._resources(answer):
            path = each.path.rstrip("/")
            if path == here:
                if folder and not each.is_collection:
                    return []
                self._root_seen = True
                continue
            if path.rpartition("/")[0] != here:
                raise StorageError(f"remote {self.name}: the server lists {path[:200]!r} in {here}")
            children.append(each)
        return children

    def _resources(self, answer: Answer) -> Sequence[Resource]:
        try:
            return [*resources(answer.body)]
        except NotMultistatus as error:
            raise StorageError(
                f"remote {self.name}: {self._options.place.host} does not answer like a WebDAV server ({error})",
                hint=f"check `dvtool config remote.{self.name}.url`",
            ) from error

    async def _require_root(self, http: Http) -> None:
        if not await self._is_root_there(http):
            raise StorageError(
                f"remote {self.name}: {self.url} does not exist",
                hint=f"create it, or check `dvtool config remote.{self.name}.url`",
            )

    async def _is_root_there(self, http: Http) -> bool:
        if not self._root_seen:
            answer = await self._propfind(http, "", "0")
            if answer.status not in (207, *ABSENT):
                raise web_failure(self._options, answer, f"open {self.url}")
            self._root_seen = answer.status == 207
        return self._root_seen

    async def _require_writable(self, http: Http) -> None:
        """Once: there are servers that make whatever is missing on the way, also of a mistyped URL."""
        if TEMPORARY in self._made:
            return
        async with self._making:
            if not await self._is_root_there(http):
                above = await self._propfind(http, "..", "0")
                if above.status in ABSENT:
                    await self._require_root(http)
                await self._make_one(http, "")
                self._root_seen = True
        await self._make(http, TEMPORARY)

    async def _propfind(self, http: Http, folder: str, depth: str) -> Answer:
        headers = {"Depth": depth, "Content-Type": "application/xml; charset=utf-8"}
        return await self._ask(http, "PROPFIND", folder, headers, QUESTION)

    async def _ask(
        self,
        http: Http,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: Body = None,
        size: int = 0,
    ) -> Answer:
        sent = self._headers(headers or {})
        for wait in _LOCKED_SECONDS if body is None else ():
            answer = await http.ask(method, self._at(path), headers=sent)
            if answer.status != _LOCKED:
                return answer
            await asyncio.sleep(wait * (0.5 + random.random()))  # noqa: S311 - spreads waits
        return await http.ask(method, self._at(path), headers=sent, body=body, size=size)


async def _slices(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), _BLOCK):
        yield data[at : at + _BLOCK]


async def _blocks(source: int, size: int, trouble: list[StorageError]) -> AsyncIterator[bytes]:
    at = 0
    while at < size:
        try:
            data = os.pread(source, min(_BLOCK, size - at), at)
        except OSError as error:
            trouble.append(storage_error(error, "read the file being sent"))
            raise trouble[0] from error
        if not data:
            trouble.append(StorageError("the file being sent became shorter while it was read"))
            raise trouble[0]
        at += len(data)
        yield data

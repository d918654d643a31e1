"""HDFS over HTTP: WebHDFS of a NameNode, or a gateway that speaks the same.

The NameNode sends to a DataNode whoever wants bytes. Credentials stay with the NameNode; what the DataNode needs
to know stands in the URL that it gives.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote
from urllib.parse import unquote
from urllib.parse import urlsplit

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.model.ports import Capabilities
from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem
from dvtool.remote.address import Address
from dvtool.remote.address import SettingsReader
from dvtool.remote.drivers.http.driver import HttpRemote
from dvtool.remote.drivers.http.failures import web_failure
from dvtool.remote.drivers.http.options import WebOptions
from dvtool.remote.drivers.http.options import parse_web
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import cut_short
from dvtool.remote.failures import wrong_length
from dvtool.remote.keys import TEMPORARY
from dvtool.remote.redact import redact
from dvtool.remote.rest import Answer
from dvtool.remote.rest import Http
from dvtool.remote.restread import Value
from dvtool.remote.restread import fetch
from dvtool.remote.restread import read_range

_BLOCK = 256 << 10
_AT_ONCE = 8
_DENIED = frozenset({"AccessControlException", "SecurityException", "AuthorizationException", "InvalidToken"})
_LATER = frozenset({"StandbyException", "RetriableException", "SafeModeException"})
_TAKEN = "FileAlreadyExistsException"
_ABSENT = frozenset({"FileNotFoundException", "ParentNotDirectoryException"})


def open_driver(address: Address) -> Remote:
    """Raises `ConfigError`."""
    read = SettingsReader(address)
    token, user = read.text("token"), read.text("user") or unquote(urlsplit(address.url).username or "")
    asked: dict[str, str] = {}
    web = replace(address, settings={key: value for key, value in address.settings.items() if key != "token"})
    tried = ""
    if token is not None:
        asked, tried = {"delegation": token}, "the delegation token"
    elif user and read.text("password") is None:
        asked, tried = {"user.name": user}, f"user {user}, without a password"
        web = replace(web, settings={key: value for key, value in web.settings.items() if key != "user"})
    scheme = "https" if read.flag("use_https", default=False) else "http"
    options = parse_web(web, scheme)
    root = unquote(urlsplit(options.base).path)
    if not root:
        raise ConfigError(
            f"remote {address.name}: {redact(address.url)} names no directory",
            hint=f"`dvtool remote modify {address.name} url webhdfs://HOST:9870/DIRECTORY`",
        )
    server = f"{scheme}://{urlsplit(options.base).netloc}"
    if tried:
        options = replace(options, headers={}, digest=None, tried=tried)
    copies = read.count("replication")
    return WebHdfsRemote(options, f"{server}/webhdfs/v1", root, asked, {"replication": str(copies)} if copies else {})


class WebHdfsRemote(HttpRemote):
    """`dvtool.model.ports.Remote` over a directory of HDFS. *asked* goes into every request to the NameNode."""

    def __init__(
        self, options: WebOptions, service: str, root: str, asked: Mapping[str, str], created: Mapping[str, str]
    ) -> None:
        super().__init__(options)
        self.capabilities = Capabilities(create_only=True, concurrency=8)
        self._service = service
        self._root = root
        self._asked = asked
        self._created = created
        self._root_seen = False

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        top = self.keys.prefix(prefix)
        return iter(sorted(self._client.run(lambda http: self._walk(http, top)), key=lambda item: item.key))

    def get_file(self, key: str, path: bytes, size: int) -> None:
        value = self._open(self.keys.key(key), {})

        async def fetched(http: Http) -> None:
            # The DataNode gives the length of what it sends, which a broken file makes shorter.
            held = (await self._require(http, key)).size
            if held != size:
                raise wrong_length(self.name, key, size, held)
            await self._found(http, fetch(http, value, path, size))

        self._client.run(fetched)

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        self.keys.key(key)
        return self._client.run(lambda http: self._store(http, key, data, len(data), replaces=not create_only))

    def put_file(self, key: str, path: bytes) -> None:
        self.keys.key(key)
        try:
            with open(path, "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                self._client.run(lambda http: self._store(http, key, file.fileno(), size, replaces=True))
        except OSError as error:
            raise storage_error(error, "read", path) from error

    def delete(self, key: str) -> None:
        self.keys.key(key)
        self._client.run(lambda http: self._delete(http, key))

    async def _delete(self, http: Http, key: str) -> None:
        if not (await self._done(http, "DELETE", "DELETE", key, f"delete {key}")).get("boolean"):
            await self._require_root(http)

    async def _get(self, http: Http, key: str, start: int, length: int | None) -> bytes:
        if length is None:
            length = max((await self._require(http, key)).size - start, 0)
        if length == 0:
            await self._require(http, key)
            return b""
        value = self._open(key, {"offset": str(start), "length": str(length)})
        data = await self._found(http, read_range(http, value, 0, None))
        if len(data) < length:
            held = (await self._require(http, key)).size
            if held < start + length:
                raise wrong_length(self.name, key, start + length, held)
            raise cut_short(self.name, key, start + length, start + len(data))
        if len(data) > length:
            raise StorageError(f"remote {self.name}: more of {key} arrives than was asked for")
        return data

    async def _stat(self, http: Http, key: str) -> RemoteItem | None:
        status = await self._status(http, key)
        if status is None:
            await self._require_root(http)
            return None
        if status["type"] != "FILE":
            raise StorageError(f"remote {self.name}: {key} is not a file")
        return _item(key, status)

    async def _status(self, http: Http, path: str) -> dict[str, Any] | None:
        answer = await self._ask(http, "GET", "GETFILESTATUS", path)
        if _exception(answer) in _ABSENT or (not path and answer.status == 404):
            return None
        found: dict[str, Any] = self._ok(answer, f"look at {path or self.url}")["FileStatus"]
        return found

    async def _store(self, http: Http, key: str, data: bytes | int, size: int, *, replaces: bool) -> bool:
        await self._require_writable(http)
        # The move is refused where the name is taken; to look first spares sending the bytes.
        if not replaces and await self._stat(http, key) is not None:
            return False
        temporary = TEMPORARY + secrets.token_hex(12)
        try:
            await self._create(http, temporary, data, size, f"write {key}")
            if await self._move(http, temporary, key, "OVERWRITE" if replaces else "NONE"):
                return True
        except BaseException:
            with contextlib.suppress(Exception):
                await self._ask(http, "DELETE", "DELETE", temporary)
            raise
        await self._ask(http, "DELETE", "DELETE", temporary)
        return False

    async def _create(self, http: Http, path: str, data: bytes | int, size: int, doing: str) -> None:
        answer = await self._ask(http, "PUT", "CREATE", path, {"overwrite": "false", **self._created})
        target = answer.headers.get("location", "")
        if answer.status != 307 or urlsplit(target).scheme not in ("http", "https"):
            raise self._failure(answer, doing)
        is_same = urlsplit(target).netloc == urlsplit(self._service).netloc
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        sent = self._headers(headers) if is_same else headers
        answer = await http.ask("PUT", target, headers=sent, body=_blocks(data, size), size=size)
        if answer.status not in (200, 201):
            raise self._failure(answer, doing)

    async def _move(self, http: Http, temporary: str, key: str, option: str) -> bool:
        parameters = {"destination": self._absolute(key), "renameoptions": option}
        answer = await self._ask(http, "PUT", "RENAME", temporary, parameters)
        if _exception(answer) in _ABSENT:
            await self._done(http, "PUT", "MKDIRS", key.rpartition("/")[0], f"write {key}")
            answer = await self._ask(http, "PUT", "RENAME", temporary, parameters)
        if option == "NONE" and (_exception(answer) == _TAKEN or "already exists" in _said(answer)):
            return False
        self._ok(answer, f"write {key}")
        return True

    async def _walk(self, http: Http, top: str) -> Sequence[RemoteItem]:
        found = []
        slots = asyncio.Semaphore(_AT_ONCE)

        async def look(folder: str) -> Sequence[str]:
            async with slots:
                children = await self._children(http, folder)
            below = []
            for each in children:
                key = folder + each["pathSuffix"]
                if each["type"] == "DIRECTORY":
                    if self.keys.enters(f"{key}/"):
                        below.append(f"{key}/")
                elif each["type"] != "FILE":
                    self.keys.other(key)
                elif self.keys.has(key):
                    found.append(_item(key, each))
            return below

        level: Sequence[str] = [top]
        while level:
            below = await asyncio.gather(*map(look, level))
            level = [folder for folders in below for folder in folders]
        return found

    async def _children(self, http: Http, folder: str) -> Sequence[dict[str, Any]]:
        answer = await self._ask(http, "GET", "LISTSTATUS", folder)
        if _exception(answer) in _ABSENT:
            await self._require_root(http)
            return []
        found: Sequence[dict[str, Any]] = self._ok(answer, f"list {folder or self.url}")["FileStatuses"]["FileStatus"]
        # A file is listed as itself, without a name.
        return [each for each in found if each["pathSuffix"]]

    async def _require_root(self, http: Http) -> None:
        if not self._root_seen and await self._status(http, "") is None:
            raise StorageError(
                f"remote {self.name}: {self.url} does not exist",
                hint=f"create it, or check `dvtool config remote.{self.name}.url`",
            )
        self._root_seen = True

    async def _require_writable(self, http: Http) -> None:
        """Once: HDFS makes whatever is missing on the way, also of a mistyped URL."""
        if not self._root_seen and await self._status(http, "") is None:
            if await self._status(http, "..") is None:
                await self._require_root(http)
            await self._done(http, "PUT", "MKDIRS", "", f"create {self.url}")
        self._root_seen = True

    async def _done(self, http: Http, method: str, operation: str, path: str, doing: str) -> dict[str, Any]:
        return self._ok(await self._ask(http, method, operation, path), doing)

    async def _ask(
        self, http: Http, method: str, operation: str, path: str, parameters: Mapping[str, str] | None = None
    ) -> Answer:
        asked = {"op": operation, **self._asked, **(parameters or {})}
        return await http.ask(method, self._at(path), params=asked, headers=self._headers({}))

    def _open(self, key: str, parameters: Mapping[str, str]) -> Value:
        asked = {"op": "OPEN", **self._asked, **parameters}
        return Value(
            self.name,
            key,
            self._at(key),
            lambda answer: (
                self._missing(key) if _exception(answer) in _ABSENT else self._failure(answer, f"read {key}")
            ),
            params=asked,
            headers=self._headers({}),
        )

    def _at(self, path: str) -> str:
        return self._service + quote(self._absolute(path))

    def _absolute(self, path: str) -> str:
        if path == "..":
            return self._root.rpartition("/")[0] or "/"
        return f"{self._root}/{path}".rstrip("/")

    def _ok(self, answer: Answer, doing: str) -> dict[str, Any]:
        if answer.status != 200:
            raise self._failure(answer, doing)
        return answer.document()

    def _failure(self, answer: Answer, doing: str) -> StorageError:
        name, said = _exception(answer), redact(_said(answer))
        about = f"remote {self.name}: cannot {doing} on {self._options.place.host}: {said}"
        if name in _DENIED:
            return AccessDenied(
                about, hint=f"tried {self._options.tried}; `dvtool remote modify {self.name} user NAME`"
            )
        if name in _LATER:
            return TransientError(about, hint="try again when the NameNode is ready")
        if name:
            return StorageError(about, hint=f"check `dvtool config remote.{self.name}.url`")
        return web_failure(self._options, answer, doing)


def _item(key: str, status: Mapping[str, Any]) -> RemoteItem:
    return RemoteItem(key, int(status["length"]), status["modificationTime"] / 1000)


def _remote_exception(answer: Answer) -> Mapping[str, Any]:
    found = answer.document().get("RemoteException") if answer.status >= 400 else None
    return found if isinstance(found, dict) else {}


def _exception(answer: Answer) -> str:
    return str(_remote_exception(answer).get("exception", ""))


def _said(answer: Answer) -> str:
    return str(_remote_exception(answer).get("message", "")).partition("\n")[0][:300]


async def _blocks(data: bytes | int, size: int) -> AsyncIterator[bytes]:
    for at in range(0, size, _BLOCK):
        length = min(_BLOCK, size - at)
        part = data[at : at + length] if isinstance(data, bytes) else os.pread(data, length, at)
        if len(part) != length:
            raise StorageError("the file being sent became shorter while it was read")
        yield part

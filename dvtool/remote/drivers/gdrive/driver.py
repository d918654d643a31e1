"""Google Drive as a remote."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Iterator
from typing import Any
from typing import TypeVar
from weakref import WeakValueDictionary

from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.model.ports import Capabilities
from dvtool.model.ports import RemoteItem
from dvtool.remote.address import Address
from dvtool.remote.drivers.gdrive.api import FOLDER
from dvtool.remote.drivers.gdrive.api import DriveApi
from dvtool.remote.drivers.gdrive.api import Entry
from dvtool.remote.drivers.gdrive.credentials import Tokens
from dvtool.remote.drivers.gdrive.credentials import find_credentials
from dvtool.remote.drivers.gdrive.folders import Folders
from dvtool.remote.drivers.gdrive.options import DriveOptions
from dvtool.remote.drivers.gdrive.upload import Content
from dvtool.remote.drivers.gdrive.upload import send
from dvtool.remote.failures import wrong_length
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.keys import check_key
from dvtool.remote.keys import check_prefix
from dvtool.remote.keys import is_key
from dvtool.remote.rest import Http
from dvtool.remote.rest import RestClient
from dvtool.remote.restread import Value
from dvtool.remote.restread import fetch
from dvtool.remote.restread import read_range

T = TypeVar("T")

_CONCURRENCY = 8
# Google promises nothing about listings; children of a folder were always seen at once by those who tried.
_LISTING_DELAY = 300.0


class DriveRemote:
    """`dvtool.model.ports.Remote` over one folder.

    A new value needs no search: its key is new. Two values under one key are possible, since names are not
    unique; the oldest is the one that counts, for every client.
    """

    def __init__(self, address: Address, options: DriveOptions) -> None:
        self.name = address.name
        self.url = options.url
        self.capabilities = Capabilities(create_only=False, listing_delay=_LISTING_DELAY, concurrency=_CONCURRENCY)
        self._options = options
        self._environ = address.environ
        place = Place(address.name, options.host)
        self._client = RestClient(place, options.network, _CONCURRENCY + 4, options.read_seconds)
        self._drive: _Drive | None = None

    def prepare(self) -> None:
        """Nothing is slow to start."""

    def close(self) -> None:
        self._client.close()

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        check_prefix(prefix)
        found = self._run(lambda drive: drive.items(prefix))
        return iter(sorted(found.values(), key=lambda item: item.key))

    def stat(self, key: str) -> RemoteItem | None:
        check_key(key)
        entry = self._run(lambda drive: drive.find(key))
        return None if entry is None else _item(key, entry)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        check_key(key)
        return self._run(lambda drive: drive.get(key, start, length))

    def get_file(self, key: str, path: bytes, size: int) -> None:
        check_key(key)
        self._run(lambda drive: drive.get_file(key, path, size))

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        check_key(key)
        return self._run(lambda drive: drive.put(key, Content(data), create_only=create_only))

    def put_file(self, key: str, path: bytes) -> None:
        check_key(key)
        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise storage_error(error, "read", path) from error
        with contextlib.closing(os.fdopen(source, "rb", buffering=0)):
            self._run(lambda drive: drive.put(key, Content(source), create_only=False))

    def delete(self, key: str) -> None:
        check_key(key)
        self._run(lambda drive: drive.delete(key))

    def _run(self, work: Callable[[_Drive], Coroutine[Any, Any, T]]) -> T:
        async def running(http: Http) -> T:
            if self._drive is None:
                self._drive = _Drive(self.name, self._options, self._environ, http)
            return await work(self._drive)

        return self._client.run(running)


class _Drive:
    """The same inside the loop."""

    def __init__(self, name: str, options: DriveOptions, environ: Any, http: Http) -> None:
        tokens = Tokens(name, options, find_credentials(name, options, environ))
        self._name = name
        self._options = options
        self._http = http
        self._api = DriveApi(name, options, http, tokens)
        self._folders = Folders(name, tokens.words, options, self._api)
        self._known: dict[str, str] = {}
        """Key and id of what was seen: an id never changes, and Google knows it at once."""
        self._writing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def items(self, prefix: str) -> dict[str, RemoteItem]:
        top, _, rest = prefix.partition("/")
        entries = await self._listing((*self._options.path, top) if top else self._options.path)
        found: dict[str, Entry] = {}
        for entry in entries:
            if entry.kind != FOLDER and entry.name.startswith(rest):
                _keep_oldest(found, f"{top}/{entry.name}" if top else entry.name, entry)
        items = {key: _item(key, entry) for key, entry in found.items() if is_key(key) and entry.size is not None}
        self._known.update((key, found[key].id) for key in items)
        if not top:
            for folder in {entry.name for entry in entries if entry.kind == FOLDER}:
                if is_key(f"{folder}/x"):
                    items.update(await self.items(f"{folder}/"))
        return items

    async def find(self, key: str, *, thorough: bool = True) -> Entry | None:
        """The file under *key*, or None. Not *thorough*: a value that another client wrote just now may be missed."""
        known = self._known.get(key)
        if known is not None:
            entry = await self._api.info(known)
            if entry is not None and not entry.trashed:
                return entry
            self._known.pop(key, None)
        path, name = self._place(key)
        entries = await self._named(path, name)
        if not entries and thorough:
            entries = [entry for entry in await self._listing(path) if entry.name == name and entry.kind != FOLDER]
        if not entries:
            return None
        oldest = min(entries, key=lambda entry: entry.age)
        self._known[key] = oldest.id
        return oldest

    async def get(self, key: str, start: int, length: int | None) -> bytes:
        if length == 0 or (start and length is None):
            size = (await self._require(key)).size or 0
            if start > size:
                raise wrong_length(self._name, key, start, size)
            if length == 0 or start == size:
                return b""
            length = size - start
        return await self._reading(key, lambda value: read_range(self._http, value, start, length))

    async def get_file(self, key: str, path: bytes, size: int) -> None:
        await self._reading(key, lambda value: fetch(self._http, value, path, size))

    async def put(self, key: str, content: Content, *, create_only: bool) -> bool:
        # Two at once under one name would make two files.
        async with self._writing.setdefault(key, asyncio.Lock()):
            return await self._put(key, content, create_only=create_only)

    async def _put(self, key: str, content: Content, *, create_only: bool) -> bool:
        path, name = self._place(key)
        existing = await self.find(key, thorough=create_only)
        if existing is not None and create_only:
            return False
        parent = await self._folders.make(path)
        replaces = None if existing is None else existing.id
        made = await send(self._api, name, parent, replaces, content, f"write {key}")
        self._known[key] = made.id
        return not create_only or await self._is_first(key, made)

    async def delete(self, key: str) -> None:
        known = self._known.pop(key, None)
        if known is not None:
            await self._api.remove(known)
        while (entry := await self.find(key, thorough=known is None)) is not None:
            if entry.id == known:
                return  # the index of names still has it
            known = entry.id
            self._known.pop(key, None)
            await self._api.remove(entry.id)

    async def _is_first(self, key: str, made: Entry) -> bool:
        """Whether *made* is the value that counts; if another client was quicker, it is taken back."""
        path, name = self._place(key)
        rivals = [entry for entry in await self._listing(path) if entry.name == name and entry.kind != FOLDER]
        oldest = min((*rivals, made), key=lambda entry: entry.age)
        if oldest.id == made.id:
            return True
        await self._api.remove(made.id)
        self._known[key] = oldest.id
        return False

    async def _reading(self, key: str, read: Callable[[Value], Coroutine[Any, Any, T]]) -> T:
        """Read by the id that is known; if that is gone, by the one there is now."""
        known = self._known.get(key)
        if known is not None:
            try:
                return await read(await self._value(key, known))
            except MissingData:
                self._known.pop(key, None)
        return await read(await self._value(key, (await self._require(key)).id))

    async def _value(self, key: str, entry: str) -> Value:
        return await self._api.value(key, entry)

    async def _require(self, key: str) -> Entry:
        entry = await self.find(key)
        if entry is None:
            raise MissingData(f"remote {self._name}: {key} is not there", path=key)
        return entry

    async def _named(self, path: tuple[str, ...], name: str) -> list[Entry]:
        found: list[Entry] = []
        for folder in await self._folders.find(path):
            entries = await self._api.children(folder, self._folders.drive, name=name)
            found += [entry for entry in entries or () if entry.name == name and entry.kind != FOLDER]
        return found

    async def _listing(self, path: tuple[str, ...]) -> list[Entry]:
        """All that lies in the folders at *path*. Nothing at all is believed only after looking for them anew."""
        entries = await self._children(await self._folders.find(path))
        if not entries:
            await self._folders.open()
            entries = await self._children(await self._folders.find(path, anew=True))
        return entries

    async def _children(self, folders: tuple[str, ...]) -> list[Entry]:
        found: list[Entry] = []
        for folder in folders:
            found += await self._api.children(folder, self._folders.drive) or ()
        return found

    def _place(self, key: str) -> tuple[tuple[str, ...], str]:
        top, slash, rest = key.partition("/")
        return ((*self._options.path, top), rest) if slash else (self._options.path, key)


def _keep_oldest(found: dict[str, Entry], key: str, entry: Entry) -> None:
    other = found.get(key)
    if other is None or entry.age < other.age:
        found[key] = entry


def _item(key: str, entry: Entry) -> RemoteItem:
    if entry.size is None:
        raise StorageError(f"Google Drive does not state the size of {key}")
    return RemoteItem(key, entry.size, entry.modified, entry.md5)

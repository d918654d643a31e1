"""Keys as files below one directory of an SFTP server: what each call of the port does there."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

from dvtool.disk.durable import TEMPORARY_PREFIX
from dvtool.disk.durable import temporary_name
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.model.ports import WHOLE_BYTES
from dvtool.model.ports import RemoteItem
from dvtool.model.ports import Unfinished
from dvtool.remote.drivers.ssh.blocks import Line
from dvtool.remote.drivers.ssh.blocks import read_blocks
from dvtool.remote.drivers.ssh.blocks import started
from dvtool.remote.drivers.ssh.blocks import write_blocks
from dvtool.remote.drivers.ssh.options import SshOptions
from dvtool.remote.drivers.ssh.sessions import Session
from dvtool.remote.failures import cut_short
from dvtool.remote.failures import too_long
from dvtool.remote.failures import wrong_length
from dvtool.remote.keys import TEMPORARY
from dvtool.remote.keys import Keys

if TYPE_CHECKING:
    from asyncssh import SFTPAttrs
    from asyncssh import SFTPClient
    from asyncssh import SFTPClientFile

T = TypeVar("T")

_READ, _WRITE, _CREATE, _EXCLUSIVE = 0x01, 0x02, 0x08, 0x20
_REGULAR, _FOLDER = 1, 2
_SCANS = 16
# block_size=0: else asyncssh gives each read and write a task of its own, which goes on when the call is cancelled; its
# failure, heard by nobody, is then printed with a traceback.
_OPEN: dict[str, Any] = {"encoding": None, "block_size": 0}


class Directory:
    """The directory of one remote. Exceptions of asyncssh pass through."""

    def __init__(self, remote: str, options: SshOptions, line: Line) -> None:
        self._remote = remote
        self._root = options.root
        self._url = options.url
        self._line = line

    async def values(self, session: Session, prefix: str, keys: Keys) -> list[RemoteItem]:
        """All values below *prefix* that *keys* lets through, in no order."""
        client = session.client
        found: list[RemoteItem] = []
        turn = asyncio.Semaphore(_SCANS)

        async def scan(at: str) -> list[str]:
            async with turn:
                entries = await self._entries(client, at)
            below = []
            for name, attrs in entries or ():
                key = at + name
                if attrs.type == _FOLDER:
                    below.append(key + "/")
                elif attrs.type != _REGULAR:
                    keys.other(key)
                elif keys.has(key):
                    found.append(_item(key, attrs))
            return [each for each in below if keys.enters(each)]

        level = [prefix]
        while level:
            deeper = await _all(scan(at) for at in level)
            level = [each for some in deeper for each in some]
        if not found:
            await self._require_root(client)
        return found

    async def stat(self, session: Session, key: str) -> RemoteItem | None:
        attrs = await _absent_as_none(session.client.lstat(os.fsencode(self._path(key))))
        if attrs is None:
            await self._require_root(session.client)
            return None
        return _item(key, self._regular(key, attrs))

    async def get(self, session: Session, key: str, start: int, length: int | None) -> bytes:
        async with self._reading(session, key) as (file, held):
            available = max(held - start, 0)
            wanted = available if length is None else length
            if length is None and available > WHOLE_BYTES:
                raise too_long(self._remote, key, WHOLE_BYTES)
            if wanted > available:
                raise wrong_length(self._remote, key, start + wanted, held)
            parts = [
                data async for data in read_blocks(file, start, wanted, self._line, session.client.limits.max_read_len)
            ]
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        if len(data) != wanted:
            raise cut_short(self._remote, key, start + wanted, start + len(data))
        return data

    async def get_file(self, session: Session, key: str, target: int, path: bytes, size: int) -> None:
        """Write the value into the open file *target*, whose name is *path*."""
        got = 0
        async with self._reading(session, key) as (file, held):
            if held != size:
                raise wrong_length(self._remote, key, size, held)
            async for data in read_blocks(file, 0, size, self._line, session.client.limits.max_read_len):
                _write(target, data, path)
                got += len(data)
        if got != size:
            raise cut_short(self._remote, key, size, got)

    async def put(
        self, session: Session, key: str, read: Callable[[int, int], bytes], size: int, *, create_only: bool
    ) -> bool:
        """Write *size* bytes that *read* gives; False: *create_only* and the key exists."""
        client, path = session.client, self._path(key)
        if create_only and await _absent_as_none(client.lstat(path)) is not None:
            return False
        temporary = self._path(TEMPORARY + temporary_name().decode("ascii"))
        file = await self._making(
            client, temporary, lambda: client.open(temporary, _WRITE | _CREATE | _EXCLUSIVE, **_OPEN)
        )
        try:
            try:
                await write_blocks(file, read, size, self._line, client.limits.max_write_len)
                await _if_known(session, "fsync", file.fsync)
            finally:
                await file.close()
            return await self._making(
                client, path, lambda: self._publish(session, temporary, path, create_only=create_only)
            )
        except Exception:
            with contextlib.suppress(Exception):
                await client.remove(temporary)
            raise

    async def delete(self, session: Session, key: str) -> None:
        import asyncssh

        try:
            await session.client.remove(self._path(key))
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            await self._require_root(session.client)

    async def unfinished(self, session: Session) -> list[Unfinished]:
        entries = await self._entries(session.client, TEMPORARY)
        if entries is None:
            await self._require_root(session.client)
        prefix = TEMPORARY_PREFIX.decode("ascii")
        return [
            Unfinished(TEMPORARY + name, attrs.size, float(attrs.mtime or 0), name)
            for name, attrs in entries or ()
            if name.startswith(prefix) and attrs.type == _REGULAR
        ]

    async def discard(self, session: Session, left: Unfinished) -> None:
        await _absent_as_none(session.client.remove(self._path(TEMPORARY + os.path.basename(left.handle))))

    async def _publish(self, session: Session, temporary: str, path: str, *, create_only: bool) -> bool:
        import asyncssh

        client = session.client
        if not create_only:
            if await _if_known(session, "posix_rename", lambda: client.posix_rename(temporary, path)):
                return True
            # Without that extension nothing is renamed over a file. Only `catalog` is ever written again.
            await _absent_as_none(client.remove(path))
        try:
            await client.rename(temporary, path)
        except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists):
            if not create_only or await _absent_as_none(client.lstat(path)) is None:
                raise
            await client.remove(temporary)
            return False
        return True

    async def _making(self, client: SFTPClient, path: str, write: Callable[[], Awaitable[T]]) -> T:
        """The result of *write*; the directories above *path* are made when it needs them."""
        import asyncssh

        try:
            return await write()
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            await self._make(client, path.rpartition("/")[0])
            return await write()

    async def _make(self, client: SFTPClient, path: str) -> None:
        """Make a directory and those above it down to the root, but none above that."""
        import asyncssh

        try:
            await client.mkdir(path)
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            if path == self._root:
                raise self._no_root() from None
            await self._make(client, path.rpartition("/")[0])
            await self._make(client, path)
        except (asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists, asyncssh.SFTPPermissionDenied):
            # SFTP has no word for "it is there".
            attrs = await _absent_as_none(client.stat(path))
            if attrs is None or attrs.type != _FOLDER:
                raise

    async def _entries(self, client: SFTPClient, prefix: str) -> list[tuple[str, SFTPAttrs]] | None:
        entries = await _absent_as_none(client.readdir(os.fsencode(self._path(prefix).rstrip("/"))))
        if entries is None:
            return None
        named = ((os.fsdecode(entry.filename), entry.attrs) for entry in entries)
        return [(name, attrs) for name, attrs in named if name not in (".", "..")]

    @contextlib.asynccontextmanager
    async def _reading(self, session: Session, key: str) -> AsyncIterator[tuple[SFTPClientFile, int]]:
        """The open file and its size."""
        file = await _absent_as_none(session.client.open(os.fsencode(self._path(key)), _READ, **_OPEN))
        if file is None:
            await self._require_root(session.client)
            raise MissingData(f"remote {self._remote}: {key} is not there", path=key)
        try:
            yield file, _item(key, self._regular(key, await file.stat())).size
        finally:
            # Nobody needs to wait for the answer.
            _closing = started(file.close())

    async def _require_root(self, client: SFTPClient) -> None:
        attrs = await _absent_as_none(client.stat(self._root))
        if attrs is None or attrs.type != _FOLDER:
            raise self._no_root()

    def _no_root(self) -> StorageError:
        return StorageError(
            f"remote {self._remote}: there is no directory {self._url}",
            hint=f"make it there, or check `dvtool config remote.{self._remote}.url`; "
            "the first `dvtool push` makes the last part of the path",
        )

    def _regular(self, key: str, attrs: SFTPAttrs) -> SFTPAttrs:
        if attrs.type != _REGULAR:
            raise StorageError(f"remote {self._remote}: {key} is not a regular file", path=key, hint="move it away")
        return attrs

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"


def _item(key: str, attrs: SFTPAttrs) -> RemoteItem:
    if attrs.size is None:
        raise StorageError(f"the server does not state the size of {key}")
    return RemoteItem(key, attrs.size, None if attrs.mtime is None else float(attrs.mtime))


async def _absent_as_none(call: Awaitable[T]) -> T | None:
    import asyncssh

    try:
        return await call
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        return None


async def _if_known(session: Session, extension: str, call: Callable[[], Coroutine[Any, Any, None]]) -> bool:
    """Whether the server knows *extension*; then it was called."""
    import asyncssh

    if extension in session.lacks:
        return False
    try:
        await call()
    except asyncssh.SFTPOpUnsupported:
        session.lacks.add(extension)
        return False
    return True


async def _all(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results; after a failure the other calls are ended."""
    tasks = [started(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _write(target: int, data: bytes, path: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(target, rest) :]
        except OSError as error:
            raise storage_error(error, "write", path) from error

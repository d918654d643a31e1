"""A directory on an SSH server as a remote."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Iterator
from typing import Any
from typing import TypeVar

from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.model.ports import Capabilities
from dvtool.model.ports import RemoteItem
from dvtool.model.ports import Unfinished
from dvtool.remote.address import Address
from dvtool.remote.calls import Calls
from dvtool.remote.drivers.ssh.blocks import Line
from dvtool.remote.drivers.ssh.directory import Directory
from dvtool.remote.drivers.ssh.failures import sftp_failure
from dvtool.remote.drivers.ssh.login import Gate
from dvtool.remote.drivers.ssh.options import SshOptions
from dvtool.remote.drivers.ssh.sessions import Session
from dvtool.remote.drivers.ssh.sessions import Sessions
from dvtool.remote.extras import require
from dvtool.remote.keys import OWN
from dvtool.remote.keys import Keys
from dvtool.remote.meter import Meter

T = TypeVar("T")


class SshRemote:
    """`dvtool.model.ports.Remote` over one directory."""

    keys: Keys = OWN

    def __init__(self, address: Address, options: SshOptions) -> None:
        self.name = address.name
        self.url = options.url
        self.capabilities = Capabilities(unfinished=True)
        self._gate = Gate(address, options)
        self._sessions_at_most = options.sessions
        self._line = Line()
        self._directory = Directory(address.name, options, self._line)
        self._guard = threading.Lock()
        self._opened: tuple[Calls, Sessions] | None = None
        self._closed = False

    def use_meter(self, meter: Meter) -> None:
        self._line.meter = meter

    def prepare(self) -> None:
        threading.Thread(target=self._prepare_quietly, name=f"dvtool-{self.name}", daemon=True).start()

    def close(self) -> None:
        with self._guard:
            self._closed = True
            opened, self._opened = self._opened, None
        if opened is not None:
            calls, sessions = opened
            calls.stop(sessions.close())

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        self.keys.prefix(prefix)
        found = self._run("list", lambda session: self._directory.values(session, prefix, self.keys))
        return iter(sorted(found, key=lambda item: item.key))

    def stat(self, key: str) -> RemoteItem | None:
        self.keys.key(key)
        return self._run(f"look at {key}", lambda session: self._directory.stat(session, key))

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        self.keys.key(key)
        return self._run(f"read {key}", lambda session: self._directory.get(session, key, start, length))

    def get_file(self, key: str, path: bytes, size: int) -> None:
        self.keys.key(key)
        try:
            target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise storage_error(error, "write", path) from error
        try:
            self._run(f"read {key}", lambda session: self._directory.get_file(session, key, target, path, size))
        finally:
            os.close(target)

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        self.keys.key(key)
        view = memoryview(data)
        return self._run(
            f"write {key}",
            lambda session: self._directory.put(
                session, key, lambda at, count: bytes(view[at : at + count]), len(data), create_only=create_only
            ),
        )

    def put_file(self, key: str, path: bytes) -> None:
        self.keys.key(key)
        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise storage_error(error, "read", path) from error

        def read(at: int, count: int) -> bytes:
            try:
                data = os.pread(source, count, at)
            except OSError as error:
                raise storage_error(error, "read", path) from error
            if len(data) != count:
                raise StorageError(f"{os.fsdecode(path)} became shorter while it was sent", path=path)
            return data

        try:
            size = os.fstat(source).st_size
            self._run(
                f"write {key}",
                lambda session: self._directory.put(session, key, read, size, create_only=False),
            )
        finally:
            os.close(source)

    def delete(self, key: str) -> None:
        self.keys.key(key)
        self._run(f"delete {key}", lambda session: self._directory.delete(session, key))

    def unfinished(self) -> Iterator[Unfinished]:
        return iter(self._run("list", self._directory.unfinished))

    def discard(self, left: Unfinished) -> None:
        self._run("delete", lambda session: self._directory.discard(session, left))

    def _run(self, doing: str, work: Callable[[Session], Coroutine[Any, Any, T]]) -> T:
        calls, sessions = self._open()

        async def running() -> T:
            async with sessions.session() as session:
                return await work(session)

        try:
            return calls.run(running())
        except (Exception, asyncio.TimeoutError) as error:
            failure = sftp_failure(error, self.name, self._gate.server, doing, self._gate.tried)
            if failure is error:
                raise
            raise failure from error

    def _open(self) -> tuple[Calls, Sessions]:
        with self._guard:
            if self._closed:
                raise StorageError(f"remote {self.name} is closed")
            if self._opened is None:
                require("asyncssh", "ssh", self.name)
                from fsspec.asyn import get_loop

                loop: asyncio.AbstractEventLoop = get_loop()
                self._opened = (Calls(self.name, loop), Sessions(self._gate.open, self._sessions_at_most))
            return self._opened

    def _prepare_quietly(self) -> None:
        # Whatever goes wrong here goes wrong again, and is told, at the first real request.
        with contextlib.suppress(Exception):
            self._run("connect", _nothing)


async def _nothing(session: Session) -> None:
    """A session has been opened for it."""

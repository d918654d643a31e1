"""Connections to one SMB server. Each serves one call at a time: credits of several at once would run out."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from dvtool.errors import StorageError
from dvtool.remote.address import Address
from dvtool.remote.drivers.smb.failures import status_of
from dvtool.remote.drivers.smb.options import SmbOptions
from dvtool.remote.logins import Login

MOST = 4


class Connection:
    """One connection, opened by the first call. Paths are names below the share's folder, with ``/``."""

    def __init__(self, options: SmbOptions, login: Login | None) -> None:
        self._options = options
        self._login = login
        self._cache: dict[str, Any] = {}
        self._ended = False
        self._base = "\\\\" + "\\".join((options.host, options.share, *options.folder))

    @property
    def arguments(self) -> dict[str, Any]:
        """What every function of smbclient wants to know; each would open a connection that is not there."""
        if self._ended:
            raise ConnectionAbortedError("the connection was ended")
        login = self._login
        return {
            "username": login.user if login else None,
            "password": login.password if login else None,
            "port": self._options.port,
            "encrypt": True if self._options.encrypt else None,
            "connection_timeout": self._options.seconds,
            "connection_cache": self._cache,
        }

    def path(self, name: str) -> str:
        """*name* as the server wants it; empty: the folder itself."""
        return f"{self._base}\\{name}".replace("/", "\\") if name else self._base

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """A server that is silent for too long in this block loses the connection, and so the call ends."""
        timer = threading.Timer(self._options.seconds, self.cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def cut(self) -> None:
        """End it without a word; what waits for an answer fails at once."""
        self._ended = True
        for connection in list(self._cache.values()):
            with contextlib.suppress(Exception):
                connection.transport.close()

    def close(self) -> None:
        """Log off, unless the connection is broken."""
        while self._cache:
            _, connection = self._cache.popitem()
            with contextlib.suppress(Exception), self.watched():
                connection.disconnect(close=False)


class Connections:
    """Lends connections; at most `MOST` are open."""

    def __init__(self, address: Address, options: SmbOptions) -> None:
        self._name = address.name
        self._options = options
        self._turn = threading.Semaphore(MOST)
        self._guard = threading.Lock()
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._closed = False

    @property
    def is_closed(self) -> bool:
        return self._closed

    @contextlib.contextmanager
    def lent(self, login: Login | None) -> Iterator[Connection]:
        """A connection for this block alone; one that breaks in it is not lent again."""
        with self._turn:
            with self._guard:
                if self._closed:
                    raise StorageError(f"remote {self._name} is closed")
                connection = self._idle.pop() if self._idle else Connection(self._options, login)
                self._busy.add(connection)
            sound = False
            try:
                yield connection
                sound = True
            except Exception as error:
                # An answer of the server: the connection itself is sound.
                sound = bool(status_of(error)) or isinstance(error, StorageError)
                raise
            finally:
                with self._guard:
                    self._busy.discard(connection)
                    if sound and not self._closed:
                        self._idle.append(connection)
                        connection = None  # type: ignore[assignment]
                if connection is not None:
                    connection.close()

    def close(self) -> None:
        """End all, also what is under way."""
        with self._guard:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for connection in busy:
            connection.cut()
        for connection in idle:
            connection.close()

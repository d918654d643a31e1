"""SFTP sessions over one connection: several, since a server works on each for itself and gives each its own window."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

from dvtool.remote.drivers.ssh.failures import is_cut

if TYPE_CHECKING:
    from asyncssh import SFTPClient
    from asyncssh import SSHClientConnection

_USERS = 4


@dataclass(eq=False)
class Session:
    """``users``: how many calls work with it now. ``lacks``: extensions it was seen not to have."""

    client: SFTPClient
    users: int = 0
    lacks: set[str] = field(default_factory=set)


class Sessions:
    """Lends sessions and opens connection and sessions when they are needed. Lives in one loop.

    *connect* opens a connection; *most*: sessions at once.
    """

    def __init__(self, connect: Callable[[], Awaitable[SSHClientConnection]], most: int) -> None:
        self._connect = connect
        self._most = most
        self._opening = asyncio.Lock()
        self._connection: SSHClientConnection | None = None
        self._sessions: list[Session] = []

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """The session with the least to do. Whatever breaks in it is not lent again."""
        found = await self._find()
        found.users += 1
        try:
            yield found
        except Exception as error:
            if is_cut(error):
                await self._drop(found)
            raise
        finally:
            found.users -= 1

    async def close(self) -> None:
        """End the connection and all sessions."""
        connection, self._connection = self._connection, None
        self._sessions.clear()
        if connection is not None:
            connection.abort()
            with contextlib.suppress(Exception):
                await connection.wait_closed()

    async def _find(self) -> Session:
        if not self._wants_more:
            return self._idlest
        async with self._opening:
            if self._wants_more:
                await self._open()
            return self._idlest

    @property
    def _wants_more(self) -> bool:
        if self._connection is None or self._connection.is_closed() or not self._sessions:
            return True
        return self._idlest.users >= _USERS and len(self._sessions) < self._most

    @property
    def _idlest(self) -> Session:
        return min(self._sessions, key=lambda session: session.users)

    async def _open(self) -> None:
        import asyncssh

        if self._connection is None or self._connection.is_closed():
            self._sessions.clear()
            self._connection = await self._connect()
        try:
            self._sessions.append(Session(await self._connection.start_sftp_client()))
        except asyncssh.ChannelOpenError:
            # The server allows no more than there are.
            if not self._sessions:
                raise
            self._most = len(self._sessions)

    async def _drop(self, session: Session) -> None:
        if session in self._sessions:
            self._sessions.remove(session)
            session.client.exit()

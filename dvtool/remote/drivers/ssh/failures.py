"""What asyncssh's exceptions mean."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import one_line
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.fsspec_failures import fsspec_failure
from dvtool.remote.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

_AGAIN = "check the network, then run the same command again"


def connect_failure(error: Exception, remote: str, server: str, tried: str) -> Exception:
    """No connection came about: why. Raised as it is: what is no failure of the network or of a setting."""
    import asyncssh

    about = f"remote {remote}: "
    said = redact(one_line(error))
    if isinstance(error, asyncssh.PermissionDenied):
        return AccessDenied(
            f"{about}{server} refuses the login: {said}",
            hint=f"tried {tried}; see docs: how-to/remote-ssh, or `dvtool remote modify --local {remote} keyfile PATH`",
        )
    if isinstance(error, asyncssh.ConfigParseError):
        return ConfigError(f"{about}~/.ssh/config cannot be used: {said}", hint="see `man ssh_config`")
    if isinstance(error, (asyncssh.KeyExchangeFailed, asyncssh.ProtocolNotSupported)):
        return StorageError(f"{about}{server} and this client have no common method: {said}", hint="update the server")
    if isinstance(error, (asyncssh.DisconnectError, asyncssh.ProtocolError)):
        return TransientError(f"{about}{server} ended the connection: {said}", hint=_AGAIN)
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
        return TransientError(f"{about}{server} does not answer in time", hint=_AGAIN, unreachable=True)
    if isinstance(error, OSError):
        # asyncio puts several addresses' failures into one exception that has no number.
        found = fsspec_failure(next(_causes(error)), Place(remote, server), "connect")
        if isinstance(found, TransientError):
            return found
        return TransientError(f"{about}cannot connect to {server}: {said}", hint=_AGAIN, unreachable=True)
    if isinstance(error, ValueError):
        return ConfigError(f"{about}a key or ~/.ssh/config cannot be used: {said}", hint="see `man ssh_config`")
    if isinstance(error, asyncssh.Error):
        return StorageError(f"{about}cannot connect to {server}: {said}", hint=f"try `ssh {server.partition(':')[0]}`")
    return error


def sftp_failure(error: Exception, remote: str, server: str, doing: str, tried: str) -> Exception:
    """The `dvtool.errors` form of *error*, met while *doing* something; itself where there is none."""
    import asyncssh

    if isinstance(error, DvtoolError) or not (isinstance(error, asyncssh.Error) or is_cut(error)):
        return error
    about = f"remote {remote}: cannot {doing} on {server}"
    said = redact(one_line(error))
    if is_cut(error):
        return TransientError(f"{about}: the connection broke: {said}", hint=_AGAIN)
    if isinstance(error, asyncssh.SFTPPermissionDenied):
        return AccessDenied(f"{about}: {said}", hint=f"tried {tried}; check the rights of that user on the server")
    if isinstance(error, (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded)):
        return StorageError(f"{about}: {said}", hint="free some space there, then run the same command again")
    if isinstance(error, asyncssh.SFTPFailure):
        return StorageError(f"{about}: {said}", hint="SFTP says no more: look at the server's disk space and log")
    if isinstance(error, asyncssh.ChannelOpenError):
        return StorageError(
            f"{about}: it opens no session: {said}", hint="is SFTP allowed there? see its `Subsystem sftp`"
        )
    return StorageError(f"{about}: {said}", hint=f"check `dvtool config remote.{remote}.url`")


def is_cut(error: BaseException) -> bool:
    """Whether the connection or its session is gone."""
    import asyncssh

    gone = (
        asyncssh.ConnectionLost,
        asyncssh.DisconnectError,
        asyncssh.SFTPConnectionLost,
        asyncssh.SFTPNoConnection,
        asyncssh.SFTPBadMessage,
        asyncio.IncompleteReadError,
        asyncio.TimeoutError,
        ConnectionError,
        TimeoutError,
    )
    return isinstance(error, gone)


def _causes(error: OSError) -> Iterator[OSError]:
    """The failure of one address, if *error* is about several, else *error*."""
    import errno
    import os

    for number in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH):
        if f"[Errno {number}]" in str(error):
            yield OSError(number, os.strerror(number))
    yield error

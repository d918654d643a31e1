"""What an exception of an fsspec driver means: the families they have in common."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from dvtool.errors import AccessDenied
from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import one_line
from dvtool.remote.redact import redact

_TRANSIENT_NAMES = ("Timeout", "ConnectionError", "ServerDisconnected", "ClientPayload", "IncompleteRead")
_RESOLVE_NAMES = ("DNS", "NameResolution", "gaierror")
_TRANSIENT_ERRNO = frozenset(
    {errno.ECONNRESET, errno.ECONNREFUSED, errno.EPIPE, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH}
    | {errno.EAGAIN, errno.EBUSY, getattr(errno, "EREMOTEIO", errno.EIO)}
)


@dataclass(frozen=True, slots=True)
class Place:
    """What messages say about a remote: its name, and the host or URL that is contacted."""

    name: str
    host: str


def fsspec_failure(error: Exception, place: Place, doing: str) -> DvtoolError:
    """The `dvtool.errors` form of *error*, met while *doing* something at *place*."""
    if isinstance(error, DvtoolError):
        return error
    status = http_status(error)
    said = redact(one_line(error))
    about = f"remote {place.name}: cannot {doing} on {place.host}"
    if isinstance(error, PermissionError) or status in (401, 403):
        return AccessDenied(f"{about}: {said}", hint=f"check the credentials and rights of remote {place.name}")
    if _is_unresolved(error):
        return TransientError(
            f"{about}: its name cannot be resolved", hint="check the network and the URL", unreachable=True
        )
    if isinstance(error, ConnectionRefusedError):
        return TransientError(f"{about}: connection refused", hint="check the URL and its port", unreachable=True)
    if _is_transient(error, status):
        return TransientError(f"{about}: {said}", hint="check the network, then run the same command again")
    return StorageError(f"{about}: {said}", hint=f"check `dvtool config remote.{place.name}.url`")


def http_status(error: BaseException) -> int:
    """The HTTP status an exception of one of the usual clients carries, else 0."""
    response = getattr(error, "response", None)
    for holder in (error, response):
        for field in ("status", "status_code", "code"):
            value = getattr(holder, field, None)
            if isinstance(value, int) and 100 <= value <= 599:
                return value
    return 0


def is_missing(error: BaseException) -> bool:
    """Whether *error* says that a path is absent."""
    return isinstance(error, (FileNotFoundError, NotADirectoryError)) or http_status(error) in (404, 410)


def _is_unresolved(error: BaseException) -> bool:
    cause = error.__cause__ or error.__context__
    return any(
        isinstance(one, socket.gaierror) or any(name in type(one).__name__ for name in _RESOLVE_NAMES)
        for one in (error, cause)
        if one is not None
    )


def _is_transient(error: BaseException, status: int) -> bool:
    if status:
        return status in (408, 425, 429) or (status >= 500 and status not in (501, 505))
    if isinstance(error, (ConnectionError, TimeoutError, EOFError)):
        return True
    if isinstance(error, OSError) and error.errno in _TRANSIENT_ERRNO:
        return True
    return any(name in type(error).__name__ for name in _TRANSIENT_NAMES)

"""What an exception of an fsspec driver means: the families they have in common."""

from __future__ import annotations

import errno
import ftplib
import socket
import ssl
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dvtool.errors import AccessDenied
from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.remote.failures import OVERLOADED
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import one_line
from dvtool.remote.failures import retry_after
from dvtool.remote.redact import redact

_TRANSIENT_NAMES = (
    "Timeout",
    "ConnectionError",
    "ServerDisconnected",
    "ClientPayload",
    "IncompleteRead",
    "ProtocolError",
)
_RESOLVE_NAMES = ("DNS", "NameResolution", "gaierror")
_DENIED_NAMES = (
    "AuthenticationError",
    "AuthenticationException",
    "AuthenticationFailed",
    "CredentialsError",
    "LogonFailure",
    "NoCredentials",
    "PermissionDenied",
    "RefreshError",
)
_CERTIFICATE_NAMES = ("CertificateError", "CertVerificationError")
_UNREACHABLE_ERRNO = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH})
_TRANSIENT_ERRNO = frozenset(
    {errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.ETIMEDOUT, errno.EAGAIN, errno.EBUSY, errno.ENOTCONN}
    | {getattr(errno, "EREMOTEIO", errno.EIO)}
)
_FTP_MISSING = "550"
_FTP_DENIED = ("530", "532")


@dataclass(frozen=True, slots=True)
class Place:
    """What messages say about a remote: its name, and the host or URL that is contacted.

    ``tried`` says which credentials were used, for who is refused.
    """

    name: str
    host: str
    tried: str = ""


def fsspec_failure(error: Exception, place: Place, doing: str) -> DvtoolError:
    """The `dvtool.errors` form of *error*, met while *doing* something at *place*."""
    if isinstance(error, DvtoolError):
        return error
    status = http_status(error)
    said = redact(one_line(error))
    about = f"remote {place.name}: cannot {doing} on {place.host}"
    if _is_denied(error, status):
        tried = f"tried {place.tried}; " if place.tried else ""
        return AccessDenied(f"{about}: {said}", hint=f"{tried}check the credentials and rights of remote {place.name}")
    if _is_unresolved(error):
        return TransientError(
            f"{about}: its name cannot be resolved", hint="check the network and the URL", unreachable=True
        )
    if _is_certificate(error):
        return StorageError(f"{about}: its certificate is not trusted: {said}", hint="give the CA that signed it")
    if any(_errno(one) in _UNREACHABLE_ERRNO for one in _chain(error)):
        refused = any(_errno(one) == errno.ECONNREFUSED for one in _chain(error))
        why = "connection refused" if refused else f"it cannot be reached: {said}"
        return TransientError(f"{about}: {why}", hint="check the URL and its port", unreachable=True)
    if _is_transient(error, status):
        return TransientError(
            f"{about}: {said}",
            hint="check the network, then run the same command again",
            retry_after=retry_after(_headers(error)),
            overloaded=status in OVERLOADED or isinstance(error, TimeoutError),
        )
    if isinstance(error, NotImplementedError):
        return StorageError(f"{about}: the driver cannot do that", hint=f"see `dvtool remote test {place.name}`")
    return StorageError(f"{about}: {said}", hint=f"check `dvtool config remote.{place.name}.url`")


def http_status(error: BaseException) -> int:
    """The HTTP status an exception of one of the usual clients carries, else 0."""
    for holder in (error, getattr(error, "response", None)):
        for field in ("status", "status_code", "code"):
            value = getattr(holder, field, None)
            if isinstance(value, int) and 100 <= value <= 599:
                return value
    return 0


def is_missing(error: BaseException) -> bool:
    """Whether *error* says that a path is absent, and no other error is hidden behind it."""
    if isinstance(error, ftplib.Error):
        return str(error).startswith(_FTP_MISSING)
    status = http_status(error)
    if status:
        return status in (404, 410)
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return False
    # There are libraries that turn whatever a server says into "not found".
    cause = error.__cause__
    if cause is not None and (http_status(cause) or isinstance(cause, (OSError, EOFError, ftplib.Error))):
        return is_missing(cause)
    return True


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those that it comes from."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        reason = getattr(found, "os_error", None) or getattr(found, "reason", None)
        found = found.__cause__ or found.__context__ or (reason if isinstance(reason, BaseException) else None)


def _headers(error: BaseException) -> dict[str, str]:
    """Of the HTTP answer that it comes from; empty without one."""
    for holder in (error, getattr(error, "response", None)):
        headers: Any = getattr(holder, "headers", None)
        if isinstance(headers, Mapping):
            return {str(name): str(value) for name, value in headers.items()}
    return {}


def _errno(error: BaseException) -> int:
    number = getattr(error, "errno", None)
    return number if isinstance(number, int) else 0


def _is_denied(error: BaseException, status: int) -> bool:
    if isinstance(error, PermissionError) or status in (401, 403):
        return True
    if isinstance(error, ftplib.Error):
        return str(error).startswith(_FTP_DENIED)
    return any(name in type(error).__name__ for name in _DENIED_NAMES)


def _is_unresolved(error: BaseException) -> bool:
    return any(
        isinstance(one, socket.gaierror) or any(name in type(one).__name__ for name in _RESOLVE_NAMES)
        for one in _chain(error)
    )


def _is_certificate(error: BaseException) -> bool:
    return any(
        isinstance(one, ssl.SSLCertVerificationError) or any(name in type(one).__name__ for name in _CERTIFICATE_NAMES)
        for one in _chain(error)
    )


def _is_transient(error: BaseException, status: int) -> bool:
    if status:
        return status in (408, 425, 429) or (status >= 500 and status not in (501, 505, 507))
    if isinstance(error, (ConnectionError, TimeoutError, EOFError, ftplib.error_temp, ftplib.error_proto)):
        return True
    if isinstance(error, FileNotFoundError) and error.__cause__ is not None:
        return _is_transient(error.__cause__, http_status(error.__cause__))
    if isinstance(error, OSError) and error.errno in _TRANSIENT_ERRNO:
        return True
    return any(name in type(error).__name__ for name in _TRANSIENT_NAMES)

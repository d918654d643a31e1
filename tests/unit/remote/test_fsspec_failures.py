"""What exceptions of fsspec's drivers mean, and what they hide."""

from __future__ import annotations

import errno
import ftplib
import socket
import ssl

import pytest

from dvtool.errors import AccessDenied
from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.remote.failures import TransientError
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.fsspec_failures import fsspec_failure
from dvtool.remote.fsspec_failures import is_missing

PLACE = Place("origin", "host", tried="user ann")


class Answered(Exception):
    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(f"answered {status}")
        self.status = status
        self.headers = headers


class AuthenticationException(Exception):
    """As paramiko calls it."""


class ServerTimeoutError(Exception):
    """As aiohttp calls it."""


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "missing"),
    [
        (FileNotFoundError("k"), True),
        (NotADirectoryError("k"), True),
        (Answered(404), True),
        (Answered(410), True),
        (Answered(403), False),
        (Answered(500), False),
        (ftplib.error_perm("550 No such file"), True),
        (ftplib.error_perm("530 Log in first"), False),
        (ftplib.error_temp("421 Too many connections"), False),
        (caused(FileNotFoundError("k"), Answered(404)), True),
        (caused(FileNotFoundError("k"), StopIteration()), True),
        (caused(FileNotFoundError("k"), Answered(403)), False),
        (caused(FileNotFoundError("k"), Answered(503)), False),
        (caused(FileNotFoundError("k"), PermissionError("no")), False),
        (caused(FileNotFoundError("k"), ConnectionResetError()), False),
        (caused(FileNotFoundError("k"), ftplib.error_perm("550 No such file")), True),
        (caused(FileNotFoundError("k"), ftplib.error_temp("425 No data connection")), False),
        (caused(FileNotFoundError("k"), EOFError()), False),
    ],
    ids=repr,
)
def test_only_what_is_absent_is_missing(error: Exception, missing: bool) -> None:
    assert is_missing(error) == missing


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AuthenticationException("Authentication failed."), AccessDenied),
        (ftplib.error_perm("530 Login incorrect"), AccessDenied),
        (ftplib.error_temp("426 Connection closed"), TransientError),
        (ServerTimeoutError(), TransientError),
        (caused(FileNotFoundError("k"), Answered(503)), TransientError),
        (caused(RuntimeError("odd"), ConnectionRefusedError(errno.ECONNREFUSED, "refused")), TransientError),
        (caused(RuntimeError("odd"), socket.gaierror(-2, "unknown")), TransientError),
        (ssl.SSLCertVerificationError(1, "self-signed certificate"), StorageError),
        (Answered(507), StorageError),
        (NotImplementedError(), StorageError),
    ],
    ids=repr,
)
def test_families(error: Exception, kind: type[DvtoolError]) -> None:
    failure = fsspec_failure(error, PLACE, "read k")
    assert type(failure) is kind
    assert "origin" in failure.message and failure.hint


def test_no_connection_at_all_is_told_apart() -> None:
    refused = fsspec_failure(OSError(errno.ECONNREFUSED, "refused"), PLACE, "read k")
    reset = fsspec_failure(ConnectionResetError(errno.ECONNRESET, "reset"), PLACE, "read k")
    assert isinstance(refused, TransientError) and refused.unreachable
    assert isinstance(reset, TransientError) and not reset.unreachable


def test_a_busy_server_is_asked_when_to_come_back() -> None:
    failure = fsspec_failure(Answered(429, **{"Retry-After": "7"}), PLACE, "read k")
    assert isinstance(failure, TransientError)
    assert (failure.retry_after, failure.overloaded) == (7.0, True)


def test_who_is_refused_learns_which_credential_was_tried() -> None:
    failure = fsspec_failure(Answered(403), PLACE, "read k")
    assert failure.hint is not None and "tried user ann" in failure.hint

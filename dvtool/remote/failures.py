"""Failures that drivers raise: which ones are worth another try."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from dvtool.errors import AccessDenied
from dvtool.errors import StorageError
from dvtool.errors import storage_error


class TransientError(StorageError):
    """A failure that may be gone at the next try: a cut connection, a timeout, 429, 5xx.

    ``retry_after`` is the number of seconds the server asked to wait, when it said so.
    ``unreachable``: no connection came about at all (name, port, route). ``overloaded``: the
    server has too much to do (429, 503), or did not answer in time; fewer requests at once help.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        retry_after: float | None = None,
        unreachable: bool = False,
        overloaded: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
        self.unreachable = unreachable
        self.overloaded = overloaded


OVERLOADED = frozenset({408, 429, 503})
"""HTTP statuses of a server that has too much to do."""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that an HTTP answer asks to wait, as a number or as a time by the server's own clock."""
    found = {name.lower(): value.strip() for name, value in headers.items() if name.lower() in ("retry-after", "date")}
    value = found.get("retry-after", "")
    if value.isascii() and value.isdigit():
        return float(value)
    if not value:
        return None
    from email.utils import parsedate_to_datetime  # 50 ms to import

    try:
        return max(0.0, (parsedate_to_datetime(value) - parsedate_to_datetime(found["date"])).total_seconds())
    except (KeyError, TypeError, ValueError):
        return None


_TRANSIENT_ERRNO = frozenset({errno.EAGAIN, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT, errno.EINTR})


def file_failure(error: OSError, remote: str, doing: str, path: bytes) -> StorageError:
    """What an ``OSError`` on a directory remote means."""
    plain = storage_error(error, doing, path)
    message = f"remote {remote}: {plain.message}"
    if error.errno in _TRANSIENT_ERRNO:
        return TransientError(message, hint=plain.hint)
    if error.errno in (errno.EACCES, errno.EPERM):
        return AccessDenied(message, path=path, hint="check who owns that directory and its permissions")
    return StorageError(message, path=path, hint=plain.hint)


def cut_short(remote: str, key: str, expected: int, got: int) -> TransientError:
    """The value is longer than what arrived of it."""
    return TransientError(f"remote {remote}: {key} was cut off after {got} of {expected} bytes")


def wrong_length(remote: str, key: str, expected: int, got: int) -> StorageError:
    """The value that the remote holds has another length than it must have."""
    return StorageError(
        f"remote {remote}: {key} has {got} bytes, expected {expected}", hint="run `dvtool push` again to send it anew"
    )


def too_long(remote: str, key: str, most: int) -> StorageError:
    """The value is longer than whatever belongs under such a name, or never ends."""
    return StorageError(
        f"remote {remote}: {key} has more than {most} bytes",
        path=key,
        hint="see who writes to that place besides dvtool, and move that file away",
    )


def read_only(remote: str, url: str) -> AccessDenied:
    """Nothing can be written or deleted there, whoever asks."""
    scheme = url.partition("://")[0]
    return AccessDenied(
        f"remote {remote}: {scheme}:// can only be read, and {url} takes nothing",
        hint="push to the same place in another way: `dvtool push -r NAME`, after `dvtool remote add NAME URL` with "
        "s3://, ssh://, webdavs:// or a directory",
    )


def one_line(error: BaseException) -> str:
    """What another library's exception says, on one line of bounded length."""
    return " ".join(str(error).split())[:300] or type(error).__name__

"""Every error that dvtool raises on purpose.

One hierarchy, so that one door (``dvtool.cli``) can turn any of them into
"what happened, why, what to do next" and a documented exit code:

    DvtoolError                      failed
    ├── UsageError                   the request makes no sense
    ├── IntegrityError               bytes are not what their name says
    ├── MissingData                  an object is neither here nor where it was looked for
    ├── Locked                       somebody else holds a lock, or a wait timed out
    ├── UnsafeInput                  a repository or a remote asks for something dangerous
    ├── StorageError                 disk, space or network
    │   └── AccessDenied             credentials refused or absent
    ├── FormatError                  a file is not in its format, or in a newer one
    ├── ConfigError                  a setting is wrong or absent
    ├── StageFailed                  a command of a pipeline ended badly
    └── NotInRepository              no dvtool (or Git) repository here

The classes carry data, never an exit number: numbers belong to the command line.
"""

from __future__ import annotations

import os
from typing import ClassVar

PathLike = str | bytes | os.PathLike[str]


class DvtoolError(Exception):
    """Something the user can understand and act on.

    ``message`` says what happened and to what, in one line without a final period.
    ``hint`` says what to do next, preferably a command. ``path`` is the file or the key
    concerned. ``causes`` holds the errors of single items when several failed together.
    """

    kind: ClassVar[str] = "failed"

    def __init__(
        self,
        message: str,
        *,
        path: PathLike | None = None,
        hint: str | None = None,
        causes: tuple[BaseException, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = None if path is None else os.fsdecode(path)
        self.hint = hint
        self.causes = causes


class UsageError(DvtoolError):
    """The request cannot be carried out as it was put."""

    kind = "usage"


class IntegrityError(DvtoolError):
    """Stored or received bytes do not match the digest or checksum that names them."""

    kind = "integrity"


class MissingData(DvtoolError):
    """Objects that are needed are not in the cache and not on the remote."""

    kind = "missing"


class Locked(DvtoolError):
    """A lock was not free in time."""

    kind = "locked"


class UnsafeInput(DvtoolError):
    """Input from a repository or a remote would reach where it must not."""

    kind = "unsafe"


class StorageError(DvtoolError):
    """The disk or the network did not do what was asked: full, read-only, unreachable."""

    kind = "storage"


class AccessDenied(StorageError):
    """The remote refused the credentials, or there were none."""


class FormatError(DvtoolError):
    """A file is not valid in its format, or its version is newer than this dvtool."""

    kind = "format"


class ConfigError(DvtoolError):
    """A setting is unknown, malformed, refused or missing."""

    kind = "config"


class StageFailed(DvtoolError):
    """A stage's command failed, ran out of time, or did not write what it says it writes."""

    kind = "stage"


class NotInRepository(DvtoolError):
    """The command needs a dvtool repository (or a Git repository) and there is none."""

    kind = "no-repository"


def storage_error(error: OSError, doing: str, path: PathLike | None = None) -> StorageError:
    """Turn an ``OSError`` met while *doing* something into a `StorageError` with its path."""
    where = path if path is not None else error.filename
    reason = error.strerror or str(error)
    text = f"cannot {doing}" if where is None else f"cannot {doing} {os.fsdecode(where)}"
    return StorageError(f"{text}: {reason}", path=where, hint=_STORAGE_HINTS.get(error.errno or 0))


_STORAGE_HINTS: dict[int, str] = {
    28: "free some space there, then run the same command again: it goes on where it stopped",
    30: "the file system is mounted read-only: remount it, or choose another directory with `dvtool cache dir`",
    13: "check who owns it and its permissions",
    122: "the quota is used up: free some space, then run the same command again",
    24: "too many open files: raise the limit with `ulimit -n 4096`",
}

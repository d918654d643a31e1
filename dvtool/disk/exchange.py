"""Renames that exchange two names, or that refuse to replace one."""

from __future__ import annotations

import errno

from dvtool.disk import _native

_MISSING = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP})


class NotSupported(Exception):
    """The operating system or this file system lacks the call; nothing was changed."""


def exchange(dir_fd: int | None, a: bytes, b: bytes) -> None:
    """Let *a* and *b*, both existing names in one directory, change places in one step.

    ``None`` for *dir_fd* means plain paths. Raises `NotSupported`, or ``OSError`` (``FileNotFoundError`` when either
    is absent).
    """
    folder = _native.AT_FDCWD if dir_fd is None else dir_fd
    _rename(folder, a, folder, b, _native.RENAME_EXCHANGE)


def rename_noreplace(dir_fd: int | None, old: bytes, new: bytes, *, new_dir_fd: int | None = None) -> None:
    """Rename *old* to *new* unless *new* exists (``FileExistsError``).

    ``None`` for *dir_fd* means plain paths; *new_dir_fd* is *dir_fd* unless given. Raises `NotSupported`.
    """
    old_dir = _native.AT_FDCWD if dir_fd is None else dir_fd
    _rename(old_dir, old, old_dir if new_dir_fd is None else new_dir_fd, new, _native.RENAME_NOREPLACE)


def _rename(old_dir: int, old: bytes, new_dir: int, new: bytes, flags: int) -> None:
    try:
        _native.renameat2(old_dir, old, new_dir, new, flags)
    except OSError as error:
        if error.errno in _MISSING:
            raise NotSupported(error.strerror) from error
        raise

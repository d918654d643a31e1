"""A file system that can do little, as some network mounts: no locks, no links, no clones, no exchange."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import Any
from typing import NoReturn

import pytest

from dvtool.disk import _native

FICLONE = 0x40049409


def _refuse(number: int) -> Any:
    def call(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return call


def make_plain(patch: pytest.MonkeyPatch, *, without: set[str], number: int | None = None) -> None:
    """Let the calls of each kind in *without* fail: ``flock``, ``posix``, ``link``, ``symlink``, ``rename``, ``clone``.

    *number*: with that error instead of the usual one.
    """
    if "flock" in without:
        patch.setattr(fcntl, "flock", _refuse(number or errno.ENOLCK))
    if "posix" in without:
        patch.setattr(fcntl, "lockf", _refuse(number or errno.ENOLCK))
    if "link" in without:
        patch.setattr(os, "link", _refuse(number or errno.EPERM))
    if "symlink" in without:
        patch.setattr(os, "symlink", _refuse(number or errno.EPERM))
    if "rename" in without:
        patch.setattr(_native, "renameat2", _refuse(number or errno.EINVAL))
    if "clone" in without:
        real = fcntl.ioctl

        def ioctl(fd: int, request: int, *args: Any) -> Any:
            if request == FICLONE:
                raise OSError(number or errno.EOPNOTSUPP, os.strerror(number or errno.EOPNOTSUPP))
            return real(fd, request, *args)

        patch.setattr(fcntl, "ioctl", ioctl)

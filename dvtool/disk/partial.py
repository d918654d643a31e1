"""Files that a killed command leaves for the next one to go on with, under names that say what they become."""

from __future__ import annotations

import os
import sys

from dvtool.disk.durable import discard
from dvtool.disk.durable import temporary_name

PARTIAL_PREFIX = b".dvtool-resume-"

_OPEN = os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
_TRIES = 3


def open_partial(directory: bytes, name: bytes) -> tuple[int, bytes] | None:
    """Open or make the file for what is called *name*: a descriptor that also is the lock on it, and its path.

    None where another process or user has it, or where the file system has no locks. Raises ``OSError``.
    """
    path = os.path.join(directory, PARTIAL_PREFIX + name)
    for _ in range(_TRIES):
        try:
            fd = os.open(path, _OPEN, 0o600)
        except PermissionError:
            return None  # another user's, in a cache that is shared
        try:
            locked = _lock(fd)
            if locked is None:
                # Nobody can have it, so nobody would ever take it away.
                discard(None, path)
            if not locked:
                break
            if os.path.samestat(os.fstat(fd), os.stat(path, follow_symlinks=False)):
                found, fd = fd, -1
                return found, path
        except FileNotFoundError:
            continue  # the one that had it has just finished
        finally:
            if fd >= 0:
                os.close(fd)
    return None


def settled(path: bytes) -> bytes:
    """The same file under the name of an ordinary temporary: it is complete, and nobody goes on with it."""
    target = os.path.join(os.path.dirname(path), temporary_name())
    os.rename(path, target)
    return target


def drop_stale_partials(directory: bytes, before_ns: int) -> None:
    """Delete those in *directory* that were last written before that time and that nobody is at work on."""
    try:
        names = [name for name in os.listdir(directory) if name.startswith(PARTIAL_PREFIX)]
    except OSError:
        return
    for name in names:
        path = os.path.join(directory, name)
        try:
            if os.lstat(path).st_mtime_ns >= before_ns:
                continue
            found = open_partial(directory, name[len(PARTIAL_PREFIX) :])
        except OSError:
            continue
        if found is not None:
            discard(None, path)
            os.close(found[0])


def _lock(fd: int) -> bool | None:
    """Whether the lock is ours; None where there are no locks."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True

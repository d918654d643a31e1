"""Who has a file open for writing."""

from __future__ import annotations

import fcntl
import os
import signal
import sys

_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def has_writer(dir_fd: int, name: bytes) -> bool:
    """Whether any process has the regular file *name* open, or mapped, for writing.

    False also where nobody can tell: other systems than Linux, a file of another user, most network file systems.
    """
    if sys.platform != "linux":
        return False
    try:
        fd = os.open(name, _LOOK, dir_fd=dir_fd)
    except OSError:
        return False
    try:
        return not _takes_lease(fd)
    finally:
        os.close(fd)


def _takes_lease(fd: int) -> bool:
    """The kernel grants a read lease on a file that nobody can write to, and answers EAGAIN where there is a writer."""
    try:
        # Whoever opens the file while the lease is held makes the kernel signal us, by default with the deadly SIGIO.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True

"""Locks that the kernel holds: they end with their process, so nobody ever has to remove one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import final

from dvtool.errors import Locked

_QUIET_SECONDS = 0.3
_FIRST_SLEEP = 0.01
_LONGEST_SLEEP = 0.25
_BUSY = frozenset({errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK})
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EBADF})
_READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NOTE_LIMIT = 300


@final
class LockHandle:
    """A lock that is held until `release` or the end of the ``with`` block.

    ``degraded``: the file system has no locks (or, for a shared one, the file cannot even be opened), so nothing
    is excluded.
    """

    __slots__ = ("_fd", "_pid", "_posix", "degraded", "shared")

    def __init__(self, fd: int | None, *, shared: bool, degraded: bool, posix: bool) -> None:
        self._fd = fd
        self._pid = os.getpid()
        self._posix = posix
        self.shared = shared
        self.degraded = degraded

    def leave_note(self, what: str) -> None:
        """Tell those who wait who holds the lock and for *what*: information only, so no failure is reported."""
        if self._fd is None:
            return
        note = f"pid {os.getpid()} on {os.uname().nodename}" + (f": {what}" if what else "")
        data = note.replace("\n", " ").encode("utf-8", "replace")[: _NOTE_LIMIT - 1] + b"\n"
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, data, 0)
            os.ftruncate(self._fd, len(data))

    def release(self) -> None:
        """Give the lock back; again is harmless. In a forked child only the child's copy is closed."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        try:
            # A child that inherited the descriptor would keep the lock past a mere close.
            if self._pid == os.getpid() and not self.degraded:
                with contextlib.suppress(OSError):
                    _lock_call(fd, fcntl.LOCK_UN, posix=self._posix)
        finally:
            os.close(fd)

    def __enter__(self) -> LockHandle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class FileLock:
    """A kernel lock on the file *path*, which is made when absent and stays for good."""

    def __init__(self, path: bytes, *, mode: int = 0o666) -> None:
        self.path = path
        self._mode = mode

    def acquire(
        self,
        *,
        shared: bool,
        timeout: float | None = None,
        on_wait: Callable[[str], None] | None = None,
        what: str = "",
    ) -> LockHandle:
        """Wait at most *timeout* seconds (``None``: for ever, 0: not at all) and hold the lock.

        *what* is told to those who wait for this lock; *on_wait* is called once, after 0.3 s, with what the holder
        told. Raises `Locked` naming the holder, or ``OSError`` when the file cannot be opened.
        """
        started = time.monotonic()
        pause = _FIRST_SLEEP
        told = False
        while True:
            handle = self._attempt(shared=shared)
            if handle is not None:
                handle.leave_note(what)
                return handle
            waited = time.monotonic() - started
            if timeout is not None and waited >= timeout:
                raise Locked(
                    f"{os.fsdecode(self.path)} is in use by {self.holder()}",
                    path=self.path,
                    hint="wait until that ends, then run the same command again; the file itself need not be removed",
                )
            if not told and waited >= _QUIET_SECONDS and on_wait is not None:
                told = True
                on_wait(self.holder())
            time.sleep(pause if timeout is None else min(pause, max(0.0, timeout - waited)))
            pause = min(pause * 1.5, _LONGEST_SLEEP)

    def holder(self) -> str:
        """Who took the lock last, as they put it: information, never a proof."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return "another process"
        try:
            note = os.read(fd, _NOTE_LIMIT).partition(b"\n")[0].decode("utf-8", "replace")
            taken = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(os.fstat(fd).st_mtime))
        except OSError:
            return "another process"
        finally:
            os.close(fd)
        who, _, what = note.partition(": ")
        if not who.startswith("pid "):
            return "another process"
        since = f"{who} since {taken}"
        return f"{since}: {what}" if what else since

    def _attempt(self, *, shared: bool) -> LockHandle | None:
        while True:
            try:
                fd = self._open()
            except OSError as error:
                if shared and error.errno in _READ_ONLY:
                    return LockHandle(None, shared=True, degraded=True, posix=False)
                raise
            handle = _lock(fd, shared=shared)
            if handle is None or handle.degraded or self._still_names(fd):
                return handle
            handle.release()

    def _open(self) -> int:
        flags = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | flags, self._mode)
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
        return os.open(self.path, os.O_RDONLY | flags)

    def _still_names(self, fd: int) -> bool:
        """Somebody may have deleted the file: then a lock on the old one excludes nobody."""
        try:
            return os.path.samestat(os.fstat(fd), os.lstat(self.path))
        except FileNotFoundError:
            return False


def _lock(fd: int, *, shared: bool) -> LockHandle | None:
    """A handle that owns *fd*, or ``None`` with *fd* closed when somebody else holds the lock."""
    operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    try:
        for posix in (False, True):
            try:
                _lock_call(fd, operation, posix=posix)
            except OSError as error:
                if error.errno in _BUSY:
                    os.close(fd)
                    return None
                if error.errno not in _NO_LOCKS:
                    raise
            else:
                return LockHandle(fd, shared=shared, degraded=False, posix=posix)
    except BaseException:
        os.close(fd)
        raise
    return LockHandle(fd, shared=shared, degraded=True, posix=False)


def _lock_call(fd: int, operation: int, *, posix: bool) -> None:
    if posix:
        fcntl.lockf(fd, operation)
    else:
        fcntl.flock(fd, operation)

"""Locks that the kernel holds: they end with their process, so nobody ever has to remove one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple
from typing import final

from dvtool.errors import Locked

_QUIET_SECONDS = 0.3
_FIRST_SLEEP = 0.01
_LONGEST_SLEEP = 0.25
_STALE_TRIES = 10
_BUSY = frozenset({errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK})
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EBADF})
_READ_ONLY = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class Waiting(NamedTuple):
    """How long to wait for a lock that others hold: ``None`` for ever, 0 not at all; and who hears of it."""

    timeout: float | None = None
    on_wait: Callable[[str], None] | None = None


@final
class LockHandle:
    """A lock that is held until `release` or the end of the ``with`` block.

    ``degraded``: the file system has no locks (or, for a shared one, the file cannot even be opened), so nothing
    is excluded.
    """

    __slots__ = ("_fd", "_owner", "_pid", "_posix", "degraded", "shared")

    def __init__(
        self, fd: int | None, *, shared: bool, degraded: bool, posix: bool, owner: FileLock | None = None
    ) -> None:
        self._fd = fd
        self._pid = os.getpid()
        self._posix = posix
        self._owner = owner
        self.shared = shared
        self.degraded = degraded
        if owner is not None and not degraded:
            owner.held += 1

    @property
    def descriptor(self) -> int | None:
        """Whoever inherits it holds the lock too, until it is closed or given back; None where nothing is held."""
        return None if self._posix or self.degraded else self._fd

    def leave_note(self, what: str) -> None:
        """Tell those who wait who holds the lock and for *what*: information only, so no failure is reported."""
        if self._fd is None:
            return
        from dvtool.disk.lockholder import note

        data = note(what)
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, data, 0)
            os.ftruncate(self._fd, len(data))

    def release(self) -> None:
        """Give the lock back; again is harmless. In a forked child only the child's copy is closed."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        if self._owner is not None and not self.degraded:
            self._owner.held -= 1
        if self._posix:
            _release_posix(fd, self._pid)
            return
        try:
            # A child that inherited the descriptor would keep the lock past a mere close.
            if self._pid == os.getpid() and not self.degraded:
                with contextlib.suppress(OSError):
                    fcntl.flock(fd, fcntl.LOCK_UN)
        finally:
            os.close(fd)

    def __enter__(self) -> LockHandle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class FileLock:
    """A kernel lock on the file *path*, which is made when absent and stays for good.

    *waiting* is what `acquire` does if not told otherwise. With *exact_mode* the file gets *mode* whatever the
    umask. ``held``: how many handles of this object are held.
    """

    def __init__(
        self, path: bytes, *, mode: int = 0o666, exact_mode: bool = False, waiting: Waiting | None = None
    ) -> None:
        self.path = path
        self.held = 0
        self._waiting = waiting or Waiting()
        self._mode = mode
        self._exact_mode = exact_mode

    def acquire(
        self,
        *,
        shared: bool,
        timeout: float | None = None,
        on_wait: Callable[[str], None] | None = None,
        what: str = "",
    ) -> LockHandle:
        """Wait at most *timeout* seconds (0: not at all; ``None``: as this lock was made) and hold the lock.

        *what* is told to those who wait for this lock; *on_wait* is called once, after 0.3 s, with a line that says
        what is waited for, who holds it and since when. Raises `Locked` naming the holder, or ``OSError`` when the
        file cannot be opened. Locks are not fair: one who waits alone among sharers gets its turn when a moment
        comes in which none of them holds it.
        """
        timeout = self._waiting.timeout if timeout is None else timeout
        on_wait = on_wait or self._waiting.on_wait
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
                on_wait(f"waiting for {os.fsdecode(self.path)}, in use by {self.holder()}")
            time.sleep(pause if timeout is None else min(pause, max(0.0, timeout - waited)))
            pause = min(pause * 1.5, _LONGEST_SLEEP)

    def holder(self) -> str:
        """Who has the lock, as far as can be told: information, never a proof."""
        from dvtool.disk.lockholder import NOTE_LIMIT
        from dvtool.disk.lockholder import describe

        try:
            # Closing any descriptor of a file gives up every POSIX lock that this process has on it.
            known = _posix_of(os.stat(self.path))
            kept = None if known is None else known.holding[0]
            fd = kept or os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                return describe(os.pread(fd, NOTE_LIMIT, 0), os.fstat(fd))
            finally:
                if kept is None:
                    os.close(fd)
        except OSError:
            return "another process"

    def _attempt(self, *, shared: bool) -> LockHandle | None:
        stale = 0
        while not self._excludes_itself(shared=shared):
            try:
                fd = self._open()
            except OSError as error:
                if error.errno == errno.ESTALE and stale < _STALE_TRIES:
                    stale += 1
                    continue
                if shared and error.errno in _READ_ONLY:
                    return LockHandle(None, shared=True, degraded=True, posix=False)
                raise
            handle = self._lock(fd, shared=shared)
            if handle is None or handle.degraded or self._still_names(fd):
                return handle
            handle.release()
        return None

    def _excludes_itself(self, *, shared: bool) -> bool:
        """Only where locks belong to the process: it has one that this would conflict with."""
        with contextlib.suppress(OSError):
            known = _posix_of(os.stat(self.path)) if _posix_locks else None
            return known is not None and not (shared and known.shared)
        return False

    def _open(self) -> int:
        flags = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            if self._exact_mode:
                return self._open_exact(flags)
            return os.open(self.path, os.O_RDWR | os.O_CREAT | flags, self._mode)
        except OSError as refused:
            if refused.errno not in _READ_ONLY:
                raise
            try:
                return os.open(self.path, os.O_RDONLY | flags)
            except FileNotFoundError:
                raise refused from None

    def _open_exact(self, flags: int) -> int:
        while True:
            with contextlib.suppress(FileNotFoundError):
                return os.open(self.path, os.O_RDWR | flags)
            with contextlib.suppress(FileExistsError):
                fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, 0o600)
                with contextlib.suppress(OSError):
                    os.fchmod(fd, self._mode)
                return fd

    def _still_names(self, fd: int) -> bool:
        """Somebody may have deleted the file: then a lock on the old one excludes nobody."""
        try:
            return os.path.samestat(os.fstat(fd), os.lstat(self.path))
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
            return False

    def _lock(self, fd: int, *, shared: bool) -> LockHandle | None:
        """A handle that owns *fd*, or ``None`` with *fd* closed when somebody else holds the lock."""
        operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
        try:
            try:
                fcntl.flock(fd, operation)
                return LockHandle(fd, shared=shared, degraded=False, posix=False, owner=self)
            except OSError as error:
                if error.errno in _BUSY:
                    os.close(fd)
                    return None
                if error.errno not in _NO_LOCKS:
                    raise
            found = _lock_posix(fd, operation, shared=shared)
        except BaseException:
            os.close(fd)
            raise
        if found is None:
            return LockHandle(fd, shared=shared, degraded=True, posix=False)
        return LockHandle(fd, shared=shared, degraded=False, posix=True, owner=self) if found else None


class _PosixLock(NamedTuple):
    """Belongs to the process, whatever descriptor it was taken with: the last handle gives it up."""

    pid: int
    shared: bool
    holding: list[int]
    given_back: list[int]


_posix_locks: dict[tuple[int, int], _PosixLock] = {}


def _posix_of(status: os.stat_result) -> _PosixLock | None:
    """The POSIX lock that this process has on a file."""
    known = _posix_locks.get((status.st_dev, status.st_ino))
    return known if known is not None and known.pid == os.getpid() else None


def _lock_posix(fd: int, operation: int, *, shared: bool) -> bool | None:
    """True when *fd* holds it now; False, *fd* taken over, when it is busy; None where there are no locks."""
    status = os.fstat(fd)
    known = _posix_of(status)
    if known is not None:
        known.holding.append(fd)
        return True
    try:
        fcntl.lockf(fd, operation)
    except OSError as error:
        if error.errno in _BUSY:
            os.close(fd)
            return False
        if error.errno not in _NO_LOCKS:
            raise
        return None
    _posix_locks[status.st_dev, status.st_ino] = _PosixLock(os.getpid(), shared, [fd], [])
    return True


def _release_posix(fd: int, pid: int) -> None:
    if pid != os.getpid():
        os.close(fd)
        return
    for key, known in list(_posix_locks.items()):
        if fd in known.holding and known.pid == pid:
            known.holding.remove(fd)
            known.given_back.append(fd)
            if not known.holding:
                del _posix_locks[key]
                for each in known.given_back:
                    os.close(each)

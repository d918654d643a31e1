"""Copies: shared blocks where the file system can, streams elsewhere; and links."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable

from dvtool.disk import _native
from dvtool.disk.durable import write_all

BLOCK = 1 << 20

_FICLONE = 0x40049409
_CANNOT = frozenset(
    {
        errno.EPERM,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        errno.ENOSYS,
        errno.EXDEV,
        errno.EINVAL,
        errno.ENOTTY,
        errno.EMLINK,
        errno.ETXTBSY,
    }
)
_CREATE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY | os.O_CLOEXEC


def reflink(source_fd: int, target_fd: int) -> bool:
    """Let the empty *target_fd* share all blocks of *source_fd*; False where that is not possible.

    Raises ``OSError`` for a real fault (I/O, space, quota). Linux only: on macOS always False, see `clone_path`.
    """
    if sys.platform != "linux":
        return False
    try:
        _ficlone(source_fd, target_fd)
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True


def clone_path(source: bytes, target: bytes) -> bool:
    """Make the new file *target* share the blocks of *source*; False, and no *target*, where not possible.

    ``FileExistsError`` when *target* exists; a link at *source* is not followed (``OSError``).
    """
    if sys.platform == "darwin":
        try:
            _native.clonefile(source, target)
        except OSError as error:
            if error.errno in _CANNOT:
                return False
            raise
        return True
    source_fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        target_fd = os.open(target, _CREATE, 0o600)
        done = False
        try:
            done = reflink(source_fd, target_fd)
        finally:
            os.close(target_fd)
            if not done:
                with contextlib.suppress(OSError):
                    os.unlink(target)
    finally:
        os.close(source_fd)
    return done


def copy_range(
    source_fd: int, target_fd: int, length: int, on_block: Callable[[memoryview], object], *, block: int = BLOCK
) -> int:
    """Copy at most *length* bytes from the position of one descriptor to that of the other.

    *on_block* sees each block before it is written; the view is reused, so it must not be kept. Returns how many
    bytes there were: fewer than *length* means that the source ended early. Raises ``OSError``.
    """

    def each(view: memoryview) -> None:
        on_block(view)
        write_all(target_fd, view)

    return _read(source_fd, each, block, length)


def read_blocks(fd: int, on_block: Callable[[memoryview], object], block: int = BLOCK) -> int:
    """Show *on_block* everything from the position of *fd* to the end; the view must not be kept. Returns the bytes."""
    return _read(fd, on_block, block, None)


def hardlink(source: bytes, target: bytes, *, target_dir_fd: int | None = None) -> bool:
    """Give the file (or link) *source* the further name *target*; False where that is not possible.

    "Not possible" is also EMLINK, the limit on names of one file (65,000 on ext4): the caller copies instead.
    ``FileExistsError`` when *target* exists. *source* must be absolute if *target_dir_fd* is given.
    """
    return _if_possible(lambda: os.link(source, target, dst_dir_fd=target_dir_fd, follow_symlinks=False))


def symlink(text: bytes, target: bytes, *, dir_fd: int | None = None) -> bool:
    """Create the symbolic link *target* pointing to *text*; False where the file system has none."""
    return _if_possible(lambda: os.symlink(text, target, dir_fd=dir_fd))


def _if_possible(call: Callable[[], None]) -> bool:
    try:
        call()
    except OSError as error:
        if error.errno in _CANNOT:
            return False
        raise
    return True


def _read(fd: int, on_block: Callable[[memoryview], object], block: int, length: int | None) -> int:
    whole = memoryview(bytearray(block if length is None else max(1, min(block, length))))
    total = 0
    while length is None or total < length:
        want = whole if length is None or length - total >= len(whole) else whole[: length - total]
        got = os.readv(fd, [want])
        if got == 0:
            break
        total += got
        on_block(want[:got])
    return total


def _ficlone(source_fd: int, target_fd: int) -> None:
    import fcntl

    fcntl.ioctl(target_fd, _FICLONE, source_fd)

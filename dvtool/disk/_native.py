"""System calls that Python does not offer, through the C library.

Each function raises ``OSError`` with the errno of the call; ``ENOSYS`` where the platform lacks it.
ctypes is imported at first use: it costs several milliseconds of start-up.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
from functools import cache
from typing import TYPE_CHECKING
from typing import Any
from typing import NoReturn

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable

AT_FDCWD = -2 if sys.platform == "darwin" else -100

RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2

_SYS_OPENAT2 = 437
_SYS_RENAMEAT2 = {"x86_64": 316, "aarch64": 276}
_DARWIN_RENAME_FLAGS = {RENAME_NOREPLACE: 0x4, RENAME_EXCHANGE: 0x2}
_DARWIN_STATFS_FLAGS_OFFSET = 64
_DARWIN_MNT_LOCAL = 0x1000
_CLONE_NOFOLLOW = 1
_PR_SET_PDEATHSIG = 1
_SYNC_FILE_RANGE_WRITE = 2


@cache
def _libc() -> ctypes.CDLL:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def _fail(*names: bytes) -> NoReturn:
    import ctypes

    _raise(ctypes.get_errno(), *names)


def _raise(number: int, *names: bytes) -> NoReturn:
    if len(names) == 2:
        raise OSError(number, os.strerror(number), names[0], None, names[1])
    raise OSError(number, os.strerror(number), *names)


@cache
def _openat2_call() -> Callable[[int, bytes, Any], int]:
    import ctypes

    syscall = _libc().syscall
    syscall.restype = ctypes.c_long
    syscall_type = ctypes.CFUNCTYPE(
        ctypes.c_long,
        ctypes.c_long,
        ctypes.c_long,
        ctypes.c_char_p,
        ctypes.c_void_p,
        ctypes.c_size_t,
        use_errno=True,
    )
    call = syscall_type(ctypes.cast(syscall, ctypes.c_void_p).value or 0)
    return lambda dir_fd, path, how: int(call(_SYS_OPENAT2, dir_fd, path, how, 24))


@cache
def _open_how(flags: int, mode: int, resolve: int) -> Any:
    import ctypes

    return (ctypes.c_uint64 * 3)(flags, mode, resolve)


def openat2(dir_fd: int, path: bytes, flags: int, resolve: int) -> int:
    """Open an existing *path* below *dir_fd*; Linux 5.6 or later. *path* must hold no NUL."""
    if sys.platform != "linux":
        _raise(errno.ENOSYS, path)
    how = _open_how(flags | os.O_CLOEXEC, 0, resolve)
    while True:
        fd = _openat2_call()(dir_fd, path, how)
        if fd >= 0:
            return fd
        import ctypes

        number = ctypes.get_errno()
        if number != errno.EINTR:
            _raise(number, path)


@cache
def _renameat2_call() -> Callable[[int, bytes, int, bytes, int], int] | None:
    import ctypes

    arguments = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    libc = _libc()
    named = "renameatx_np" if sys.platform == "darwin" else "renameat2"
    try:
        function = getattr(libc, named)
    except AttributeError:
        number = _SYS_RENAMEAT2.get(os.uname().machine) if sys.platform == "linux" else None
        if number is None:
            return None
        syscall = ctypes.CDLL(None, use_errno=True).syscall
        syscall.argtypes = (ctypes.c_long, *arguments)
        syscall.restype = ctypes.c_long
        return lambda *call: int(syscall(number, *call))
    function.argtypes = arguments
    function.restype = ctypes.c_int
    return lambda *call: int(function(*call))


def renameat2(old_dir: int, old: bytes, new_dir: int, new: bytes, flags: int) -> None:
    """Rename with `RENAME_NOREPLACE` or `RENAME_EXCHANGE`."""
    call = _renameat2_call()
    if call is None:
        _raise(errno.ENOSYS, old, new)
    if b"\0" in old or b"\0" in new:
        raise ValueError("embedded null byte")
    if sys.platform == "darwin":
        flags = _DARWIN_RENAME_FLAGS[flags]
    if call(old_dir, old, new_dir, new, flags) != 0:
        _fail(old, new)


def clonefile(source: bytes, target: bytes) -> None:
    """macOS only: make *target* a copy-on-write clone of *source*; *target* must not exist."""
    if sys.platform == "darwin":
        import ctypes

        function = _libc().clonefile
        function.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint32)
        if function(source, target, _CLONE_NOFOLLOW) != 0:
            _fail(source, target)
    else:
        _raise(errno.ENOSYS, source, target)


def _statfs(path: bytes) -> ctypes.Array[ctypes.c_char]:
    import ctypes

    buffer = ctypes.create_string_buffer(4096)
    libc = _libc()
    function = getattr(libc, "statfs$INODE64", None) if sys.platform == "darwin" else None
    if (function or libc.statfs)(ctypes.c_char_p(path), buffer) != 0:
        _fail(path)
    return buffer


def file_system_magic(path: bytes) -> int:
    """Linux only: ``f_type`` of the file system that holds *path*, as an unsigned 32-bit number."""
    if sys.platform == "linux":
        return int.from_bytes(_statfs(path).raw[:8], sys.byteorder) & 0xFFFFFFFF
    _raise(errno.ENOSYS, path)


def is_mounted_local(path: bytes) -> bool:
    """macOS only: whether the file system that holds *path* is on this machine."""
    if sys.platform == "darwin":
        start = _DARWIN_STATFS_FLAGS_OFFSET
        return bool(int.from_bytes(_statfs(path).raw[start : start + 4], sys.byteorder) & _DARWIN_MNT_LOCAL)
    _raise(errno.ENOSYS, path)


def sync_file_range(fd: int, offset: int, length: int) -> None:
    """Linux: begin to write these bytes of *fd* to the medium, without waiting; no promise of any kind."""
    if sys.platform != "linux":
        _raise(errno.ENOSYS)
    import ctypes

    function = _libc().sync_file_range
    if function(fd, ctypes.c_int64(offset), ctypes.c_int64(length), _SYNC_FILE_RANGE_WRITE) != 0:
        _fail()


def die_with_parent() -> None:
    """Linux: the kernel kills this process when the thread that started it ends. Elsewhere nothing happens."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

"""What a file system has room for and what it can do."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable

from dvtool.disk import _native
from dvtool.disk.clone import clone_path
from dvtool.disk.clone import hardlink
from dvtool.disk.clone import reflink
from dvtool.disk.durable import discard
from dvtool.disk.durable import open_temporary
from dvtool.disk.durable import part_name
from dvtool.disk.durable import write_all
from dvtool.errors import StorageError

# From linux/magic.h and the file systems' own sources. FUSE counts as network: what is behind it is not known.
_NETWORK_MAGIC = frozenset(
    {
        0x6969,  # nfs
        0x517B,  # smbfs
        0xFF534D42,  # cifs
        0xFE534D42,  # smb2
        0x65735546,  # fuse
        0x01021997,  # 9p
        0x0BD00BD0,  # lustre
        0x00C36400,  # ceph
        0x47504653,  # gpfs
        0x19830326,  # beegfs
        0x5346414F,  # afs
        0x6B414653,  # kafs
        0x73757245,  # coda
        0x01161970,  # gfs2
        0x7461636F,  # ocfs2
        0xBACBACBC,  # vmhgfs
        0x786F4256,  # vboxsf
    }
)

_can: dict[tuple[str, int], bool] = {}


def free_bytes(path: bytes) -> int | None:
    """Bytes that this user can still write where *path* is or would be; ``None`` where the file system does not say."""
    found = os.statvfs(_existing(path))
    if found.f_blocks == 0:
        return None
    return found.f_bavail * found.f_frsize


def require_space(path: bytes, needed: int, doing: str) -> None:
    """Raise `StorageError` unless *needed* bytes fit where *path* is or would be. Does nothing if that is unknown."""
    free = free_bytes(path)
    if free is None or free >= needed:
        return
    where = _existing(path)
    raise StorageError(
        f"not enough space to {doing}: {_readable(needed)} needed and {_readable(free)} free in {os.fsdecode(where)}, "
        f"{_readable(needed - free)} missing",
        path=where,
        hint=f"free {_readable(needed - free)} there, for example with `dvtool drop PATH`, or with "
        "`dvtool gc --all-commits --no-trash`, then run the same command again",
    )


def same_file_system(a: bytes, b: bytes) -> bool:
    """Whether a rename or link between the two can work; only trying it proves it (bind mounts, subvolumes)."""
    return os.stat(_existing(a)).st_dev == os.stat(_existing(b)).st_dev


def is_network_fs(path: bytes) -> bool:
    """Whether *path* is on NFS, SMB, a cluster file system or FUSE; False when that cannot be found out."""
    try:
        where = _existing(path)
        if sys.platform == "darwin":
            return not _native.is_mounted_local(where)
        return _native.file_system_magic(where) in _NETWORK_MAGIC
    except OSError:
        return False


def is_case_insensitive(directory: bytes) -> bool:
    """Whether two names that differ in case are one file in *directory*. Raises ``OSError`` if it is read-only."""
    fd, path = open_temporary(directory, scrap=True)
    try:
        other = os.path.join(directory, os.path.basename(path).upper())
        return os.path.samestat(os.fstat(fd), os.lstat(other))
    except FileNotFoundError:
        return False
    finally:
        os.close(fd)
        discard(None, path)


def supports_reflink(directory: bytes) -> bool:
    """Whether files in *directory* can share blocks: tried once for each device. ``OSError`` if it is read-only."""
    return _tried("reflink", directory, _try_reflink)


def supports_hardlink(directory: bytes) -> bool:
    """Whether files in *directory* can have two names: tried once for each device. ``OSError`` if it is read-only."""
    return _tried("hardlink", directory, _try_hardlink)


def _tried(what: str, directory: bytes, attempt: Callable[[bytes], bool]) -> bool:
    key = (what, os.stat(directory).st_dev)
    if key not in _can:
        _can[key] = attempt(directory)
    return _can[key]


def _try_reflink(directory: bytes) -> bool:
    source_fd, source = open_temporary(directory, scrap=True)
    try:
        write_all(source_fd, bytes(4096))
        target_fd, target = open_temporary(directory, scrap=True)
        try:
            if sys.platform == "darwin":
                os.unlink(target)
                return clone_path(source, target)
            return reflink(source_fd, target_fd)
        finally:
            os.close(target_fd)
            discard(None, target)
    finally:
        os.close(source_fd)
        discard(None, source)


def _try_hardlink(directory: bytes) -> bool:
    fd, path = open_temporary(directory, scrap=True)
    os.close(fd)
    second = os.path.join(directory, part_name())
    try:
        return hardlink(path, second)
    finally:
        discard(None, path)
        discard(None, second)


def _existing(path: bytes) -> bytes:
    """The nearest directory above *path* that exists, or *path* itself."""
    while True:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.stat(path)
            return path
        parent = os.path.dirname(path) or b"."
        if parent == path:
            return path
        path = parent


def _readable(count: int) -> str:
    if count < 1000:
        return f"{count} bytes"
    size = float(count)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"

"""Copies of files and directories that are proved to be what was read."""

from __future__ import annotations

import contextlib
import os
import stat

from blake3 import blake3

from dvtool.disk.beneath import open_file
from dvtool.disk.clone import copy_range
from dvtool.disk.clone import read_blocks
from dvtool.disk.clone import reflink
from dvtool.disk.durable import discard
from dvtool.disk.durable import fsync_dir
from dvtool.disk.durable import fsync_file
from dvtool.disk.durable import part_name
from dvtool.disk.exchange import NotSupported
from dvtool.disk.exchange import rename_noreplace
from dvtool.disk.scan import list_names
from dvtool.disk.signature import signature_of
from dvtool.errors import IntegrityError
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.model.paths import join
from dvtool.model.paths import show

_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def copy_file(source_fd: int, dir_fd: int, name: bytes, *, shown: bytes, durable: bool) -> bytes:
    """Make the new file *name* a copy of an open one, blocks shared where possible; returns its BLAKE3.

    Writable, with the source's executable bit and modification time. What was written is read
    back. Raises `StorageError` when the source changes meanwhile, `IntegrityError`, ``OSError``.
    """
    before = os.fstat(source_fd)
    mode = 0o777 if before.st_mode & 0o100 else 0o666
    fd = os.open(name, _CREATE, mode, dir_fd=dir_fd)
    try:
        read = blake3()
        shared = reflink(source_fd, fd)
        if not shared:
            os.lseek(source_fd, 0, os.SEEK_SET)
            copy_range(source_fd, fd, before.st_size + 1, read.update)
        os.lseek(fd, 0, os.SEEK_SET)
        written = blake3()
        size = read_blocks(fd, written.update)
        if signature_of(os.fstat(source_fd)) != signature_of(before) or size != before.st_size:
            raise StorageError(
                f"{show(shown)} changed while being copied",
                path=shown,
                hint="run the command again when nothing writes to it",
            )
        if not shared and written.digest() != read.digest():
            raise IntegrityError(f"the copy of {show(shown)} is not what was written: check the disk", path=shown)
        os.utime(fd, ns=(before.st_atime_ns, before.st_mtime_ns))
        if durable:
            fsync_file(fd)
    except BaseException:
        discard(dir_fd, name)
        raise
    finally:
        os.close(fd)
    return written.digest()


def copy_entry(source_dir: int, source: bytes, dir_fd: int, name: bytes, *, shown: bytes, durable: bool) -> None:
    """Copy a file, a link or a whole directory to *name*, which appears complete or not at all.

    ``FileExistsError`` when it is there already. Raises `UnsafeInput` for FIFOs, sockets and
    devices, else as `copy_file`. *shown* names the source.
    """
    part = part_name()
    try:
        _copy(source_dir, source, dir_fd, part, shown, durable=durable)
        try:
            rename_noreplace(dir_fd, part, name)
        except NotSupported:
            if _exists(dir_fd, name):
                raise FileExistsError(17, "File exists", name) from None
            os.rename(part, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    except BaseException:
        with contextlib.suppress(OSError):
            remove_tree(dir_fd, part)
        raise
    if durable:
        fsync_dir(dir_fd)


def _copy(source_dir: int, source: bytes, dir_fd: int, name: bytes, shown: bytes, *, durable: bool) -> None:
    mode = os.lstat(source, dir_fd=source_dir).st_mode
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink(source, dir_fd=source_dir), name, dir_fd=dir_fd)
    elif stat.S_ISDIR(mode):
        _copy_directory(source_dir, source, dir_fd, name, shown, durable=durable)
    elif stat.S_ISREG(mode):
        fd = open_file(source_dir, source, shown=shown)
        try:
            copy_file(fd, dir_fd, name, shown=shown, durable=durable)
        finally:
            os.close(fd)
    else:
        raise UnsafeInput(f"{show(shown)} is neither a file, a directory nor a link, so it is not copied", path=shown)


def _copy_directory(source_dir: int, source: bytes, dir_fd: int, name: bytes, shown: bytes, *, durable: bool) -> None:
    below = os.open(source, _DIRECTORY, dir_fd=source_dir)
    try:
        os.mkdir(name, dir_fd=dir_fd)
        target = os.open(name, _DIRECTORY, dir_fd=dir_fd)
        try:
            for child in list_names(below):
                _copy(below, child, target, child, join(shown, child), durable=durable)
            if durable:
                fsync_dir(target)
        finally:
            os.close(target)
    finally:
        os.close(below)


def is_copy(source_dir: int, source: bytes, dir_fd: int, name: bytes, *, shown: bytes) -> bool:
    """Whether *name* is what `copy_entry` would make of *source*, byte for byte. Raises ``OSError``, `UnsafeInput`."""
    status, found = (os.lstat(one, dir_fd=fd) for one, fd in ((source, source_dir), (name, dir_fd)))
    if stat.S_IFMT(status.st_mode) != stat.S_IFMT(found.st_mode):
        return False
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(source, dir_fd=source_dir) == os.readlink(name, dir_fd=dir_fd)
    if stat.S_ISDIR(status.st_mode):
        below = os.open(source, _DIRECTORY, dir_fd=source_dir)
        try:
            copy = os.open(name, _DIRECTORY, dir_fd=dir_fd)
            try:
                children = sorted(list_names(below))
                return children == sorted(list_names(copy)) and all(
                    is_copy(below, child, copy, child, shown=join(shown, child)) for child in children
                )
            finally:
                os.close(copy)
        finally:
            os.close(below)
    if not stat.S_ISREG(status.st_mode) or status.st_size != found.st_size or (status.st_mode ^ found.st_mode) & 0o100:
        return False
    return same_bytes(source_dir, source, dir_fd, name, shown)


def same_bytes(source_dir: int, source: bytes, dir_fd: int, name: bytes, shown: bytes) -> bool:
    """Whether two files hold the same. Raises ``OSError``, `UnsafeInput`."""
    digests = []
    for directory, file_name in ((source_dir, source), (dir_fd, name)):
        fd = open_file(directory, file_name, shown=shown)
        try:
            hasher = blake3()
            read_blocks(fd, hasher.update)
            digests.append(hasher.digest())
        finally:
            os.close(fd)
    return digests[0] == digests[1]


def _exists(dir_fd: int, name: bytes) -> bool:
    try:
        os.lstat(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return False
    return True


def remove_tree(dir_fd: int, name: bytes) -> None:
    """Delete a file or a directory with all in it; what is not there is no error. Raises ``OSError``."""
    try:
        os.unlink(name, dir_fd=dir_fd)
        return
    except FileNotFoundError:
        return
    except OSError:
        # Which errno a directory gives differs between systems.
        if not stat.S_ISDIR(os.lstat(name, dir_fd=dir_fd).st_mode):
            raise
    below = os.open(name, _DIRECTORY, dir_fd=dir_fd)
    try:
        for child in list_names(below):
            remove_tree(below, child)
    finally:
        os.close(below)
    os.rmdir(name, dir_fd=dir_fd)

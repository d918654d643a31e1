"""Moving a file or a directory to another name without ever replacing anything."""

from __future__ import annotations

import errno
import os
import stat

from dvtool.disk.durable import fsync_dir
from dvtool.disk.exchange import NotSupported
from dvtool.disk.exchange import rename_noreplace
from dvtool.disk.replace import ChangedMeanwhile
from dvtool.disk.replace import remove_file
from dvtool.disk.scan import list_names
from dvtool.disk.signature import signature_of
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.workspace.copying import copy_entry
from dvtool.workspace.copying import same_bytes

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def move_entry(source_dir: int, source: bytes, dir_fd: int, name: bytes, *, shown: bytes, durable: bool) -> None:
    """Rename, or across file systems copy, prove the copy and delete the source.

    ``FileExistsError`` when *name* is there. A source file that changes while it is copied stays,
    beside the copy, and `ChangedMeanwhile` names it. Raises as `copy_entry`.
    """
    try:
        _rename(source_dir, source, dir_fd, name)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_entry(source_dir, source, dir_fd, name, shown=shown, durable=durable)
        _remove_copied(source_dir, source, dir_fd, name, shown)
    if durable:
        fsync_dir(dir_fd)
        fsync_dir(source_dir)


def _rename(source_dir: int, source: bytes, dir_fd: int, name: bytes) -> None:
    try:
        rename_noreplace(source_dir, source, name, new_dir_fd=dir_fd)
    except NotSupported:
        try:
            os.lstat(name, dir_fd=dir_fd)
        except FileNotFoundError:
            os.rename(source, name, src_dir_fd=source_dir, dst_dir_fd=dir_fd)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name) from None


def _remove_copied(source_dir: int, source: bytes, dir_fd: int, name: bytes, shown: bytes) -> None:
    status = os.lstat(source, dir_fd=source_dir)
    if not stat.S_ISDIR(status.st_mode):
        if stat.S_ISREG(status.st_mode) and not same_bytes(source_dir, source, dir_fd, name, shown):
            raise ChangedMeanwhile(f"{show(shown)} was changed while it moved: it stays beside its copy", path=shown)
        remove_file(source_dir, source, signature_of(status), shown=shown)
        return
    below = os.open(source, _DIRECTORY, dir_fd=source_dir)
    try:
        copy = os.open(name, _DIRECTORY, dir_fd=dir_fd)
        try:
            for child in list_names(below):
                _remove_copied(below, child, copy, child, join(shown, child))
        finally:
            os.close(copy)
    finally:
        os.close(below)
    os.rmdir(source, dir_fd=source_dir)

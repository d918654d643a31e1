"""Making files that share their bytes with the cache private again."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from dvtool.disk.beneath import open_file
from dvtool.disk.durable import discard
from dvtool.disk.durable import part_name
from dvtool.disk.durable import temporary_name
from dvtool.disk.replace import replace_file
from dvtool.disk.signature import StatSignature
from dvtool.disk.signature import signature_of
from dvtool.errors import IntegrityError
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.tree import Entry
from dvtool.workspace.copying import copy_file
from dvtool.workspace.placing import Directories
from dvtool.workspace.worktree import Worktree


class Unprotected(NamedTuple):
    """A file that is private and writable now. ``was``: "symlink", "hardlink" or "read-only"."""

    path: bytes
    was: str
    signature: StatSignature


def unprotect_file(directories: Directories, worktree: Worktree, path: bytes, entry: Entry) -> Unprotected | None:
    """Replace one file by a private copy of what *entry* says stands there; None when it is private already.

    A link may lead into the cache, or into that of a tool whose project this was.
    Raises `IntegrityError` for bytes that are not the entry's, `ChangedMeanwhile`, ``OSError``.
    """
    parent, name = split(path)
    fd = directories.get(parent)
    status = os.lstat(name, dir_fd=fd)
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(name, dir_fd=fd)
        if worktree.linked(target) is None:
            return None
        source = os.open(target, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        return _replace(fd, name, path, entry, status, source, "symlink")
    if not stat.S_ISREG(status.st_mode):
        return None
    if status.st_nlink > 1:
        return _replace(fd, name, path, entry, status, open_file(fd, name, shown=path), "hardlink")
    if not status.st_mode & stat.S_IWUSR:
        file = open_file(fd, name, shown=path)
        try:
            os.fchmod(file, stat.S_IMODE(status.st_mode) | stat.S_IWUSR)
            return Unprotected(path, "read-only", signature_of(os.fstat(file)))
        finally:
            os.close(file)
    return None


def _replace(
    fd: int, name: bytes, path: bytes, entry: Entry, status: os.stat_result, source: int, was: str
) -> Unprotected:
    part = part_name()
    try:
        digest = copy_file(source, fd, part, shown=path, durable=False)
    finally:
        os.close(source)
    tmp = temporary_name()
    try:
        if digest != entry.raw:
            raise IntegrityError(
                f"{show(path)}: the bytes in the cache are not what their name says",
                path=path,
                hint="`dvtool pull` fetches them again",
            )
        os.rename(part, tmp, src_dir_fd=fd, dst_dir_fd=fd)
    except BaseException:
        discard(fd, part)
        raise
    placed = replace_file(fd, tmp, name, signature_of(status), shown=path)
    return Unprotected(path, was, placed or signature_of(os.lstat(name, dir_fd=fd)))

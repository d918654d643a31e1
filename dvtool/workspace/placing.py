"""Putting one file into the worktree, from the bytes or from a loose object of the cache."""

from __future__ import annotations

import os
from collections import OrderedDict

from blake3 import blake3

from dvtool.disk.beneath import open_dir
from dvtool.disk.clone import copy_range
from dvtool.disk.clone import hardlink
from dvtool.disk.clone import read_blocks
from dvtool.disk.clone import reflink
from dvtool.disk.clone import symlink
from dvtool.disk.durable import PART_PREFIX
from dvtool.disk.durable import discard
from dvtool.disk.durable import temporary_name
from dvtool.disk.durable import write_all
from dvtool.disk.replace import replace_file
from dvtool.disk.signature import StatSignature
from dvtool.disk.signature import signature_of
from dvtool.errors import IntegrityError
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.store.cache import Cache

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE_RW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_DIRECTORIES = 128
_UNKNOWN = StatSignature(0, 0, 0, 0, 0)
"""Of a file that somebody replaced again at once: none has it, so the next command reads what stands there."""


class Directories:
    """Descriptors of directories below the root, made where missing, a few kept open."""

    def __init__(self, root_fd: int) -> None:
        self._root_fd = root_fd
        self._open: OrderedDict[bytes, int] = OrderedDict()

    def get(self, path: bytes, *, create: bool = False) -> int:
        """A descriptor that stays valid until many others were asked for."""
        fd = self._open.get(path)
        if fd is None:
            fd = open_dir(self._root_fd, path, create=create)
            while len(self._open) >= _OPEN_DIRECTORIES:
                os.close(self._open.popitem(last=False)[1])
            self._open[path] = fd
        else:
            self._open.move_to_end(path)
        return fd

    def forget(self, path: bytes) -> None:
        """The directory is to be removed or replaced."""
        for known in [known for known in self._open if known == path or known.startswith(path + b"/")]:
            os.close(self._open.pop(known))

    def close(self) -> None:
        while self._open:
            os.close(self._open.popitem()[1])


def require_size(entry: Entry, size: int) -> None:
    """Raise `IntegrityError` unless verified bytes have the size that a pointer or a listing states for them."""
    if size != entry.size:
        raise IntegrityError(
            f"{show(entry.name)}: {entry.digest} has {size} bytes, but {entry.size} were stated",
            hint="dvtool writes no such pointer or listing: see where it comes from (`git log -p -- FILE`)",
        )


class Placer:
    """Writes files. Each gets the same modification time, one nanosecond before the checkout began.

    No later write can give a file that time again, so a change in the very tick of the checkout
    is seen: the memo may trust the signature at once.
    """

    def __init__(self, directories: Directories, cache: Cache, links: tuple[str, ...], began_ns: int) -> None:
        self._directories = directories
        self._cache = cache
        self._links = links
        self._times = (began_ns, began_ns - 1)
        self.used: set[str] = set()
        """The link types that were used, "copy" among them."""

    def create(self, path: bytes, entry: Entry, data: bytes) -> StatSignature:
        """A new small file from verified bytes. ``FileExistsError`` when something stands there, `IntegrityError`."""
        require_size(entry, len(data))
        parent, name = split(path)
        mode = 0o777 if entry.executable else 0o666
        fd = os.open(name, _CREATE, mode, dir_fd=self._directories.get(parent, create=True))
        try:
            if data and os.write(fd, data) != len(data):
                os.lseek(fd, 0, os.SEEK_SET)
                write_all(fd, data)
            os.utime(fd, ns=self._times)
            return signature_of(os.fstat(fd))
        except BaseException:
            discard(self._directories.get(parent), name)
            raise
        finally:
            os.close(fd)

    def create_link(self, path: bytes, target: bytes) -> StatSignature:
        """A new symbolic link."""
        parent, name = split(path)
        fd = self._directories.get(parent, create=True)
        os.symlink(target, name, dir_fd=fd)
        self._stamp_link(fd, name)
        return signature_of(os.lstat(name, dir_fd=fd))

    def put(self, path: bytes, entry: Entry, data: bytes | None, expected: StatSignature | None) -> StatSignature:
        """A file in place of the one that *expected* describes, or new; from *data* or the loose object.

        Raises `ChangedMeanwhile`, `IntegrityError` for a loose object that is not what its name
        says, ``OSError``.
        """
        parent, name = split(path)
        fd = self._directories.get(parent, create=True)
        tmp = temporary_name()
        part = PART_PREFIX + tmp.rpartition(b"-")[2]
        try:
            if data is not None:
                self._write(fd, part, entry, data)
            else:
                self._from_loose(fd, part, entry)
            # From here on the name may come to stand for the user's old file: an exchange is two steps.
            os.rename(part, tmp, src_dir_fd=fd, dst_dir_fd=fd)
        except BaseException:
            discard(fd, part)
            raise
        placed = replace_file(fd, tmp, name, expected, shown=path)
        return placed if placed is not None else _UNKNOWN

    def is_linked(self, path: bytes, entry: Entry) -> bool:
        """True when the file at *path* is already the link to its loose object that is preferred."""
        wanted = next((link for link in self._links if link in ("hardlink", "symlink")), None)
        if wanted is None or entry.kind != FILE or entry.executable or self._links[0] != wanted:
            return False
        parent, name = split(path)
        source = os.path.abspath(self._cache.loose_path(entry.raw))
        try:
            status = os.stat(name, dir_fd=self._directories.get(parent), follow_symlinks=False)
            if wanted == "symlink":
                return os.readlink(name, dir_fd=self._directories.get(parent)) == source
            return os.path.samestat(status, os.stat(source, follow_symlinks=False))
        except OSError:
            return False

    def put_link(self, path: bytes, target: bytes, expected: StatSignature) -> StatSignature:
        """A symbolic link in place of the file that *expected* describes."""
        parent, name = split(path)
        fd = self._directories.get(parent)
        tmp = temporary_name()
        os.symlink(target, tmp, dir_fd=fd)
        self._stamp_link(fd, tmp)
        placed = replace_file(fd, tmp, name, expected, shown=path)
        return placed if placed is not None else _UNKNOWN

    def _stamp_link(self, directory_fd: int, name: bytes) -> None:
        # A new link may get the inode number of the one it replaces: then only the time tells them apart.
        if os.utime in os.supports_follow_symlinks:
            os.utime(name, ns=self._times, dir_fd=directory_fd, follow_symlinks=False)

    def _write(self, directory_fd: int, tmp: bytes, entry: Entry, data: bytes) -> None:
        require_size(entry, len(data))
        fd = os.open(tmp, _CREATE, 0o777 if entry.executable else 0o666, dir_fd=directory_fd)
        try:
            write_all(fd, data)
            os.utime(fd, ns=self._times)
        finally:
            os.close(fd)
        self.used.add("copy")

    def _from_loose(self, directory_fd: int, tmp: bytes, entry: Entry) -> None:
        source = self._cache.loose_path(entry.raw)
        for link in self._links:
            if link == "hardlink" and not entry.executable and self._is_own(source):
                self._verify(source, entry)
                if hardlink(os.path.abspath(source), tmp, target_dir_fd=directory_fd):
                    self.used.add(link)
                    return
            elif link == "symlink" and not entry.executable:
                self._verify(source, entry)
                if symlink(os.path.abspath(source), tmp, dir_fd=directory_fd):
                    self._stamp_link(directory_fd, tmp)
                    self.used.add(link)
                    return
            elif link in ("reflink", "copy") and self._copy(directory_fd, tmp, entry, source, share=link == "reflink"):
                self.used.add(link)
                return
        self._copy(directory_fd, tmp, entry, source, share=False)
        self.used.add("copy")

    def _is_own(self, source: bytes) -> bool:
        # A hard link to somebody else's file would let them change it under our name.
        return not hasattr(os, "getuid") or os.lstat(source).st_uid == os.getuid()

    def _verify(self, source: bytes, entry: Entry) -> None:
        fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            self._verify_open(fd, source, entry)
        finally:
            os.close(fd)

    def _verify_open(self, fd: int, source: bytes, entry: Entry) -> None:
        hasher = blake3()
        read_blocks(fd, hasher.update)
        self._require(hasher.digest(), source, entry, fd)

    def _require(self, digest: bytes, source: bytes, entry: Entry, source_fd: int) -> None:
        if digest != entry.raw:
            raise IntegrityError(
                f"{show(source)}: the bytes are not what their name says",
                path=source,
                hint="`dvtool pull` fetches them again",
            )
        require_size(entry, os.fstat(source_fd).st_size)

    def _copy(self, directory_fd: int, tmp: bytes, entry: Entry, source: bytes, *, share: bool) -> bool:
        source_fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fd = os.open(tmp, _CREATE_RW, 0o777 if entry.executable else 0o666, dir_fd=directory_fd)
            try:
                if not self._fill(fd, source_fd, source, entry, share=share):
                    os.unlink(tmp, dir_fd=directory_fd)
                    return False
                os.utime(fd, ns=self._times)
            finally:
                os.close(fd)
        finally:
            os.close(source_fd)
        return True

    def _fill(self, fd: int, source_fd: int, source: bytes, entry: Entry, *, share: bool) -> bool:
        if share:
            # The object itself is read, which nobody changes: its clone is not in memory yet. Only its owner could.
            if not reflink(source_fd, fd):
                return False
            status = os.fstat(source_fd)
            if self._cache.is_fresh(entry.raw, signature_of(status)):
                require_size(entry, status.st_size)
                return True
            is_own = not hasattr(os, "getuid") or status.st_uid in (os.getuid(), 0)
            self._verify_open(source_fd if is_own else fd, source, entry)
            return True
        hasher = blake3()
        copy_range(source_fd, fd, entry.size + 1, hasher.update)
        self._require(hasher.digest(), source, entry, source_fd)
        return True

"""Reading single files into a sink, and what may be remembered of them."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass

from dvtool.disk.signature import StatSignature
from dvtool.disk.signature import signature_of
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.model.digest import ObjectId
from dvtool.model.paths import join
from dvtool.model.paths import name_problem
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.model.tree import Entry
from dvtool.model.tree import file_entry
from dvtool.model.tree import link_entry
from dvtool.workspace.sinks import Sink
from dvtool.workspace.sinks import is_small

SIGNATURE_BYTES = 40
UNSETTLED = bytes(SIGNATURE_BYTES)
"""Of a file whose next change might not show: no file has it, so it is read again next time."""
INODE_MASK = (1 << 63) - 1
LATEST = INODE_MASK
"""The year 2262 in nanoseconds: a file may claim to be younger, and is read each time like all from the future."""
_FIVE = struct.Struct("<5q")
_TRIES = 3
_REPORT_EVERY = 64
_LARGE = 1 << 20
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(slots=True)
class Counts:
    """What a snapshot cost."""

    files_seen: int = 0
    files_hashed: int = 0
    bytes_hashed: int = 0


def pack_signature(signature: StatSignature) -> bytes:
    """The 40 bytes that stand for a signature in the memo."""
    inode, size, mtime, ctime, mode = signature
    return _FIVE.pack(inode & INODE_MASK, size, min(mtime, LATEST), min(ctime, LATEST), mode)


def packed_size(signature: bytes) -> int:
    """The size of a regular file with that packed signature; -1 for anything else."""
    _, size, _, _, mode = _FIVE.unpack(signature)
    return int(size) if mode & 0o170000 == 0o100000 else -1


class FileReader:
    """Makes entries of files and links. *horizon*: times before it settle a signature."""

    def __init__(
        self,
        sink: Sink,
        horizon: int,
        reporter: Reporter,
        linked: Callable[[bytes], tuple[ObjectId, int] | None] | None,
    ) -> None:
        self._sink = sink
        self._horizon = horizon
        self._reporter = reporter
        self._linked = linked
        self._unreported = 0
        self.counts = Counts()

    def changed(self, fd: int, path: bytes, name: bytes, signature: bytes) -> tuple[Entry, bytes]:
        """The entry of a file in the directory *path* that has to be read, and its signature."""
        inode, size, mtime, ctime, mode = _FIVE.unpack(signature)
        if mode & 0o170000 == 0o100000 and is_small(size):
            file = os.open(name, _OPEN, dir_fd=fd)
            try:
                data = os.read(file, size + 1)
                after = os.fstat(file)
            finally:
                os.close(file)
            if (
                len(data) == size
                and after.st_mtime_ns == mtime
                and after.st_ctime_ns == ctime
                and after.st_size == size
                and after.st_ino & INODE_MASK == inode
                and after.st_mode == mode
            ):
                self.count(1, size)
                entry = file_entry(name, self._sink.small(data), size, mode & 0o100 != 0)
                return entry, signature if mtime < self._horizon and ctime < self._horizon else UNSETTLED
        return self.entry(fd, join(path, name), name, os.stat(name, dir_fd=fd, follow_symlinks=False))

    def entry(self, fd: int, path: bytes, name: bytes, status: os.stat_result) -> tuple[Entry, bytes]:
        """The entry of *name*, and its signature. Raises `UnsafeInput` for what cannot be tracked, ``OSError``."""
        if (problem := name_problem(name)) is not None:
            raise cannot_track(path, problem)
        if stat.S_ISLNK(status.st_mode):
            self._reporter.advance(1)
            return self._link(name, os.readlink(name, dir_fd=fd)), self._settled(status)
        if not stat.S_ISREG(status.st_mode):
            raise UnsafeInput(
                f"{show(path)} is neither a file, a directory nor a link, so it cannot be tracked",
                path=path,
                hint=f"move it away or name it in .dvtoolignore: {show(name)}",
            )
        oid, after = self._read(fd, path, name, status)
        self.count(1, after.st_size)
        return file_entry(name, oid, after.st_size, bool(after.st_mode & 0o100)), self._settled(after)

    def count(self, files: int, size: int) -> None:
        """So many files of *size* bytes together were hashed."""
        counts = self.counts
        counts.files_hashed += files
        counts.bytes_hashed += size
        self._unreported += files
        if self._unreported >= _REPORT_EVERY or size > _LARGE:
            self._reporter.advance(self._unreported)
            self._unreported = 0

    def _link(self, name: bytes, target: bytes) -> Entry:
        stored = self._linked(target) if self._linked is not None else None
        return link_entry(name, target) if stored is None else file_entry(name, *stored, executable=False)

    def _read(self, fd: int, path: bytes, name: bytes, status: os.stat_result) -> tuple[ObjectId, os.stat_result]:
        for _ in range(_TRIES):
            if not is_small(status.st_size):
                return self._sink.large(fd, name, path)
            file = os.open(name, _OPEN, dir_fd=fd)
            try:
                before = os.fstat(file)
                data = os.read(file, before.st_size + 1) if stat.S_ISREG(before.st_mode) else b""
                status = os.fstat(file)
            finally:
                os.close(file)
            if signature_of(before) == signature_of(status) and len(data) == status.st_size:
                return self._sink.small(data), status
        raise StorageError(
            f"{show(path)} changed while being read", path=path, hint="run the command again when nothing writes to it"
        )

    def _settled(self, status: os.stat_result) -> bytes:
        if status.st_mtime_ns < self._horizon and status.st_ctime_ns < self._horizon:
            return pack_signature(signature_of(status))
        return UNSETTLED


def cannot_track(path: bytes, problem: str) -> UnsafeInput:
    """The error for a name that the formats do not allow."""
    _, _, name = path.rpartition(b"/")
    return UnsafeInput(
        f"{show(path)} cannot be tracked: its name {problem}",
        path=path,
        hint=f"move it away or name it in .dvtoolignore: {show(name)}",
    )

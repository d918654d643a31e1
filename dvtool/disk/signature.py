"""What ``stat`` says of a file, and when that may be believed."""

from __future__ import annotations

import os
from typing import NamedTuple

from dvtool.disk.durable import discard
from dvtool.disk.durable import open_temporary

_SECOND = 1_000_000_000
# Whole seconds only: FAT (2 s), HFS+ and ext3 (1 s), some servers.
_COARSE = 2 * _SECOND
# Linux stamps files from a clock that advances every 1 to 10 ms; from 6.13 on it hands out a finer time for a file
# that was looked at since its last change, but never an earlier one. 20 ms covers the slowest tick twice.
_FINE = 20_000_000


class StatSignature(NamedTuple):
    """Equal signatures mean the same bytes, if `Moment.is_settled` held when they were hashed.

    The device number is no part of it: it changes between boots and containers.
    """

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    mode: int

    def is_same_but_ctime(self, other: StatSignature) -> bool:
        """Whether only a rename, a link or a like operation can lie between the two."""
        return self[:3] == other[:3] and self.mode == other.mode


def signature_of(status: os.stat_result) -> StatSignature:
    return StatSignature(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_mode)


class Moment(NamedTuple):
    """A point on a file system's own clock: a file changed after it carries a time not before ``horizon_ns``."""

    horizon_ns: int

    def is_settled(self, signature: StatSignature) -> bool:
        """Whether a later change of the file must show as another signature."""
        horizon = self.horizon_ns
        return signature.mtime_ns < horizon and signature.ctime_ns < horizon


class FileSystemClock:
    """The clock that stamps files: on a network file system, the server's."""

    @staticmethod
    def start(directory: bytes) -> Moment:
        """Read the clock of the file system of *directory* by making a file there; call it before hashing begins.

        Where no file can be made, the moment settles nothing: every file is hashed again next time.
        """
        try:
            fd, path = open_temporary(directory, scrap=True)
        except OSError:
            return Moment(0)
        try:
            now = os.fstat(fd).st_mtime_ns
        finally:
            os.close(fd)
            discard(None, path)
        return Moment(now - (_FINE if now % _SECOND else _COARSE))

"""A file whose bytes come when they are read."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import Any

from dvtool.errors import IntegrityError
from dvtool.hashing.digests import new_hasher

_AHEAD = 16 << 20
_RUN = 4 << 20
"""Who has read less than this in one go may want no more: the pages at the start of a column, say."""
_STEP = 32 << 20

_BUFFER = 128 << 10

ReadRange = Callable[[int, int, int], bytes]
"""The bytes from, to, and how many more will likely be asked for."""


class RangedFile(io.RawIOBase):
    """*read* gives stretches of a file of *size* bytes whose BLAKE3 is *digest*.

    Who reads on gets in the end as much ahead as was read so far. All of it, read in order, is hashed: the last
    read raises `IntegrityError` if it is something else.
    """

    mode = "rb"

    def __init__(self, size: int, digest: bytes, read: ReadRange) -> None:
        super().__init__()
        self.size = size
        self._digest = digest
        self._read = read
        self._at = 0
        self._run_from = 0
        self._hasher: Any = new_hasher()
        self._hashed = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """As of any file; reading behind the end gives nothing."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            raise ValueError("a position before the start of the file")
        if base + offset != self._at:
            self._at = self._run_from = base + offset
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        """As much as fits, unless the file ends, or it is too much for once."""
        data = self._next(min(len(buffer), _STEP))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        """The rest."""
        parts = []
        while data := self._next(_STEP):
            parts.append(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _next(self, length: int) -> bytes:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        stop = min(self._at + length, self.size)
        if stop <= self._at:
            return b""
        run = self._at - self._run_from
        data = self._read(self._at, stop, min(_AHEAD, run) if run >= _RUN else 0)
        if self._at == self._hashed:
            self._hasher.update(data)
            self._hashed = stop
            if stop == self.size and self._hasher.digest() != self._digest:
                raise IntegrityError(
                    f"what was read is not blake3:{self._digest.hex()}",
                    hint="`dvtool fetch` tries every copy; `dvtool fsck --remote NAME --deep` says what is damaged",
                )
        self._at = stop
        return data


class SizedReader(io.BufferedReader):
    """A buffered file that also says how long it is, as fsspec's own do."""

    def __init__(self, raw: io.RawIOBase, size: int) -> None:
        super().__init__(raw, _BUFFER)
        self.size = size

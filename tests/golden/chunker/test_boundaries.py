"""Where files are cut must never move: every repository that was pushed before would be sent again."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from dvtool.formats.records import ChunkerSettings
from dvtool.store.chunker import Reader
from dvtool.store.chunker import cut

MIB = 1 << 20
KNOWN = Path(__file__).with_name("boundaries.txt")


def noise(seed: bytes, size: int) -> bytes:
    return hashlib.shake_128(seed).digest(size)


def inputs() -> dict[str, bytes]:
    table = b"".join(b"%08d,%s,%d\n" % (row, noise(b"%d" % row, 8).hex().encode(), row * row) for row in range(200_000))
    return {
        "noise": noise(b"noise", 16 * MIB),
        "inserted": noise(b"noise", 16 * MIB)[: 5 * MIB] + b"inserted" + noise(b"noise", 16 * MIB)[5 * MIB :],
        "zeros": bytes(9 * MIB),
        "table": table,
        "shorter than a piece": noise(b"short", 1_000),
        "one byte": b"x",
        "nothing": b"",
    }


class Trickle:
    """Gives a few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def read(self, size: int, /) -> bytes:
        return self._inner.read(min(size, 99_991))


def lengths(reader: Reader, settings: ChunkerSettings) -> list[int]:
    return [len(piece) for piece in cut(reader, settings)]


def as_text() -> str:
    lines = []
    for settings in (ChunkerSettings(), ChunkerSettings(name="fixed")):
        for name, data in inputs().items():
            found = lengths(io.BytesIO(data), settings)
            lines.append(f"{settings.name}, {name}: {' '.join(map(str, found))}\n")
    return "".join(lines)


def test_the_boundaries_are_the_known_ones() -> None:
    assert as_text() == KNOWN.read_text()


@pytest.mark.parametrize("settings", [ChunkerSettings(), ChunkerSettings(name="fixed")], ids=lambda each: each.name)
def test_how_the_bytes_arrive_does_not_matter(settings: ChunkerSettings) -> None:
    for data in inputs().values():
        pieces = list(cut(Trickle(data), settings))
        assert b"".join(pieces) == data
        assert [len(piece) for piece in pieces] == lengths(io.BytesIO(data), settings)

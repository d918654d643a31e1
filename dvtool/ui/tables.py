"""Aligned columns of plain text."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from collections.abc import Sequence

GAP = "  "


def table(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> list[str]:
    """One line for each row, columns two spaces apart; those in *right* (from 0) are flush right."""
    columns = max((len(row) for row in rows), default=0)
    widths = [max((width(row[i]) for row in rows if i < len(row)), default=0) for i in range(columns)]
    lines = []
    for row in rows:
        cells = []
        for i, cell in enumerate(row):
            padding = " " * (widths[i] - width(cell))
            cells.append(padding + cell if i in right else cell + padding)
        lines.append(GAP.join(cells).rstrip())
    return lines


def width(text: str) -> int:
    """Columns that *text* takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

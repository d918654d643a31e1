"""Recipes made by hand."""

from __future__ import annotations

import struct

import pytest

from dvtool.errors import FormatError
from dvtool.formats.recipe import FASTCDC
from dvtool.formats.recipe import PAGE
from dvtool.formats.recipe import PAGE_PIECES
from dvtool.formats.recipe import PIECE
from dvtool.formats.recipe import Piece
from dvtool.formats.recipe import Recipe
from dvtool.formats.recipe import decode_recipe
from dvtool.formats.recipe import encode_recipe
from dvtool.formats.recipe import page_up

ID = bytes(range(32))


def recipe(*pieces: tuple[int, int], size: int | None = None, chunker: int = FASTCDC) -> bytes:
    total = sum(length for length, _ in pieces) if size is None else size
    head = struct.pack("<8s32sQBI", b"DVTRECI1", ID, total % 2**64, chunker, len(pieces))
    return head + b"".join(struct.pack("<32sQB", ID, length, kind) for length, kind in pieces)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        recipe()[:20],
        recipe(),
        recipe((5, PIECE), size=6),
        recipe((0, PIECE)),
        recipe((5, PIECE), (0, PIECE)),
        recipe((5, 0)),
        recipe((5, 2)),
        recipe((5, PIECE), (5, PAGE)),
        recipe(((8 << 20) + 1, PIECE)),
        recipe((2**63, PAGE)),
        recipe((2**64 - 1, PAGE), (6, PAGE), size=5),
        recipe((5, PIECE), chunker=2),
        recipe((5, PIECE))[:-1],
        recipe((5, PIECE)) + b"\0",
        recipe(*[(1, PIECE)] * (PAGE_PIECES + 1)),
    ],
    ids=range(16),
)
def test_malformed_recipes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"^recipe: "):
        decode_recipe(data, "recipe")


def test_a_newer_format_says_so() -> None:
    with pytest.raises(FormatError, match="newer"):
        decode_recipe(b"DVTRECI2" + recipe((5, PIECE))[8:], "recipe")


@pytest.mark.parametrize("count", [1, PAGE_PIECES])
def test_a_short_recipe_is_its_own_page(count: int) -> None:
    short = Recipe(ID, 3 * count, FASTCDC, (Piece(ID, 3, PIECE),) * count)
    assert page_up(short) == (short,)


def test_the_pages_of_a_long_recipe_cover_it_in_order() -> None:
    pieces = tuple(Piece(number.to_bytes(32, "big"), 1 + number % 7, PIECE) for number in range(2 * PAGE_PIECES + 10))
    whole = Recipe(ID, sum(piece.length for piece in pieces), FASTCDC, pieces)
    pages = [decode_recipe(encode_recipe(page), "page") for page in page_up(whole)]
    assert [len(page.pieces) for page in pages] == [PAGE_PIECES, PAGE_PIECES, 10]
    assert sum(page.size for page in pages) == whole.size
    assert tuple(piece for page in pages for piece in page.pieces) == pieces

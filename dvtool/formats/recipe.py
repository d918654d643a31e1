"""Recipes, format "DVTRECI1": the chunks that make up one large blob. See ``docs/formats/recipe.md``."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from dvtool.errors import FormatError
from dvtool.formats.pack import RECORD_PLAIN_LIMIT

MAGIC = b"DVTRECI1"
FIXED = 0
FASTCDC = 1
PIECE = 1
PAGE = 3
PAGE_PIECES = 65_536
"""A recipe of more pieces is a list of pages, each a recipe of its own stretch."""

_MAX_SIZE = (1 << 63) - 1
_HEAD = struct.Struct("<8s32sQBI")
_PIECE = struct.Struct("<32sQB")


class Piece(NamedTuple):
    """A chunk of a blob, or a further page: its digest, the bytes of the blob it covers, its kind."""

    digest: bytes
    length: int
    kind: int


class Recipe(NamedTuple):
    """How to put *blob* together again. ``chunker`` is `FIXED` or `FASTCDC`."""

    blob: bytes
    size: int
    chunker: int
    pieces: tuple[Piece, ...]


def encode_recipe(recipe: Recipe) -> bytes:
    """The bytes of one recipe or one page of it."""
    head = _HEAD.pack(MAGIC, recipe.blob, recipe.size, recipe.chunker, len(recipe.pieces))
    return head + b"".join(_PIECE.pack(*piece) for piece in recipe.pieces)


def decode_recipe(data: bytes, where: str) -> Recipe:
    """Read a recipe; its lengths must add up. Raises `FormatError`."""
    if len(data) < _HEAD.size or data[:7] != MAGIC[:7]:
        raise FormatError(f"{where}: not a recipe")
    magic, blob, size, chunker, count = _HEAD.unpack_from(data)
    if magic != MAGIC or chunker not in (FIXED, FASTCDC):
        raise FormatError(f"{where}: written in a newer recipe format", hint="upgrade dvtool")
    if not 0 < count <= PAGE_PIECES or len(data) != _HEAD.size + count * _PIECE.size:
        raise FormatError(f"{where}: the recipe is truncated or damaged")
    pieces = tuple(Piece(*fields) for fields in _PIECE.iter_unpack(data[_HEAD.size :]))
    kinds = {piece.kind for piece in pieces}
    longest = RECORD_PLAIN_LIMIT if PIECE in kinds else _MAX_SIZE
    if not kinds <= {PIECE, PAGE} or len(kinds) > 1 or not all(0 < piece.length <= longest for piece in pieces):
        raise FormatError(f"{where}: the recipe has an impossible piece")
    if sum(piece.length for piece in pieces) != size or size > _MAX_SIZE:
        raise FormatError(f"{where}: the recipe's lengths do not add up to {size} bytes")
    return Recipe(blob, size, chunker, pieces)


def page_up(recipe: Recipe) -> Sequence[Recipe]:
    """The pages of a recipe that is too long for one; a short one is its own only page."""
    if len(recipe.pieces) <= PAGE_PIECES:
        return (recipe,)
    stretches = (recipe.pieces[at : at + PAGE_PIECES] for at in range(0, len(recipe.pieces), PAGE_PIECES))
    return tuple(
        Recipe(recipe.blob, sum(piece.length for piece in stretch), recipe.chunker, stretch) for stretch in stretches
    )

"""Recipes in a store: long ones are cut into pages, each stored under its own digest."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

from dvtool.errors import IntegrityError
from dvtool.formats.recipe import PAGE
from dvtool.formats.recipe import PAGE_PIECES
from dvtool.formats.recipe import Piece
from dvtool.formats.recipe import Recipe
from dvtool.formats.recipe import decode_recipe
from dvtool.formats.recipe import encode_recipe
from dvtool.formats.recipe import page_up
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId


def recipe_objects(recipe: Recipe) -> Iterator[tuple[ObjectId, bytes]]:
    """What to store for a recipe of any length, by key: its pages, then the recipe under the blob's digest."""
    pages = page_up(recipe)
    if len(pages) == 1:
        yield ObjectId(recipe.blob), encode_recipe(recipe)
        return
    above: list[Piece] = []
    for page in pages:
        data = encode_recipe(page)
        key = object_id(data)
        above.append(Piece(key, page.size, PAGE))
        yield key, data
    yield ObjectId(recipe.blob), encode_recipe(recipe._replace(pieces=tuple(above)))


def recipe_keys(recipe: Recipe) -> list[ObjectId]:
    """The keys under which a whole recipe is stored."""
    if len(recipe.pieces) <= PAGE_PIECES:
        return [ObjectId(recipe.blob)]
    return [key for key, _ in recipe_objects(recipe)]


def whole_recipe(blob: ObjectId, size: int, get: Callable[[ObjectId], bytes]) -> Recipe:
    """The recipe of *blob* with all its pieces. *get* gives a stored recipe or page by its key.

    Raises `IntegrityError` when it is not one of *size* bytes, `FormatError`, and what *get* raises.
    """
    where = f"recipe of blake3:{blob.hex()}"
    top = decode_recipe(get(blob), where)
    if top.blob != blob or top.size != size:
        raise IntegrityError(f"{where}: for {top.size} bytes, but {size} were stated")
    if not top.pieces or top.pieces[0].kind != PAGE:
        return top
    pieces: list[Piece] = []
    for reference in top.pieces:
        data = get(ObjectId(reference.digest))
        page = decode_recipe(data, where)
        if object_id(data) != reference.digest or page.size != reference.length or page.blob != blob:
            raise IntegrityError(f"{where}: not the page that it names")
        if any(piece.kind == PAGE for piece in page.pieces):
            raise IntegrityError(f"{where}: pages below pages")
        pieces += page.pieces
    return top._replace(pieces=tuple(pieces))

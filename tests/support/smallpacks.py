"""A cache with many small packs, as many small commands leave it."""

from __future__ import annotations

from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TREE
from dvtool.formats.recipe import FIXED
from dvtool.formats.recipe import Piece
from dvtool.formats.recipe import Recipe
from dvtool.formats.recipe import encode_recipe
from dvtool.formats.tree import encode_leaf
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.localpacks import PackKey


def new_cache(root: bytes) -> Cache:
    return Cache(root, Settings(durable=False))


def text(number: int) -> bytes:
    return b"object %d " % number * (number % 50 + 1)


def page(number: int) -> bytes:
    target = text(number)
    return encode_leaf([Entry(b"%d" % number, LINK, False, 0, b"", len(target), target=target)])


def recipe(number: int) -> tuple[ObjectId, bytes]:
    blob = object_id(b"large blob %d" % number)
    return blob, encode_recipe(Recipe(blob, 5 << 20, FIXED, (Piece(object_id(text(number)), 5 << 20, 1),)))


def add(root: bytes, *numbers: int) -> None:
    """What a command does: a data pack and a meta pack."""
    with CacheWriter(new_cache(root), what="test") as writer:
        for number in numbers:
            writer.put_small(text(number))
            writer.put_tree(page(number))
            writer.put_keyed(recipe(number)[0], RECIPE, recipe(number)[1])
        writer.commit()


def expect_all(cache: Cache, numbers: range) -> None:
    for number in numbers:
        assert cache.read_blob(object_id(text(number))) == text(number)
        assert cache.read_meta(object_id(page(number)), TREE) == page(number)
        assert cache.read_meta(recipe(number)[0], RECIPE) == recipe(number)[1]


def keys(root: bytes) -> set[PackKey]:
    return set(new_cache(root).packs.keys())

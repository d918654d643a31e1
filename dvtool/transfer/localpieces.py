"""Pieces of large files that the cache has already, inside other large files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TABLE_ENTRY_BYTES
from dvtool.formats.recipe import Recipe
from dvtool.formats.recipe import decode_recipe
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.store.cache import Cache
from dvtool.store.recipes import whole_recipe


class LocalPiece(NamedTuple):
    """Where a piece lies: ``length`` bytes from ``offset`` of the loose file ``path``."""

    path: bytes
    offset: int
    length: int

    def read(self, digest: bytes) -> bytes | None:
        """The piece, if it is still there and right."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                data = os.pread(fd, self.length, self.offset)
            finally:
                os.close(fd)
        except OSError:
            return None
        return data if object_id(data) == digest else None


class LocalPieces:
    """Finds those of *wanted* pieces that lie in cached files whose recipe is known."""

    def __init__(self, cache: Cache, wanted: set[bytes]) -> None:
        self._cache = cache
        self._wanted = wanted
        self._found: dict[bytes, LocalPiece] = {}
        for blob in _recipe_keys(cache):
            if cache.has_loose(blob):
                self._add_stored(blob)

    def get(self, digest: bytes) -> LocalPiece | None:
        """Where the piece lies."""
        return self._found.get(digest)

    def add(self, recipe: Recipe) -> None:
        """This blob is in the cache now."""
        path = self._cache.loose_path(recipe.blob)
        offset = 0
        for piece in recipe.pieces:
            if piece.digest in self._wanted:
                self._found.setdefault(piece.digest, LocalPiece(path, offset, piece.length))
            offset += piece.length

    def _add_stored(self, blob: ObjectId) -> None:
        def get(key: ObjectId) -> bytes:
            return self._cache.read_meta(key, RECIPE)

        try:
            self.add(whole_recipe(blob, decode_recipe(get(blob), "recipe").size, get))
        except DvtoolError:
            return  # it only would have saved a download


def _recipe_keys(cache: Cache) -> Iterator[ObjectId]:
    for key in [key for key, _ in cache.packs.keys().items() if key.pack_class == META]:
        try:
            table = cache.packs.table(key)
        except (DvtoolError, OSError):
            continue
        kinds = table[TABLE_ENTRY_BYTES - 1 :: TABLE_ENTRY_BYTES]
        at = kinds.find(RECIPE)
        while at >= 0:
            yield ObjectId(table[at * TABLE_ENTRY_BYTES : at * TABLE_ENTRY_BYTES + 32])
            at = kinds.find(RECIPE, at + 1)

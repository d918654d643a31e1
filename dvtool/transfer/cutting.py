"""Cuts a stream into pieces and hands those on that the remote lacks."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from typing import NamedTuple

from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.recipe import PIECE
from dvtool.formats.recipe import Piece
from dvtool.formats.recipe import Recipe
from dvtool.formats.records import ChunkerSettings
from dvtool.hashing.digests import new_hasher
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.store.chunker import Reader
from dvtool.store.chunker import chunker_code
from dvtool.store.chunker import cut
from dvtool.store.packwriter import PackWriter
from dvtool.store.recipes import recipe_objects
from dvtool.transfer.pushplan import Survey
from dvtool.transfer.pushplan import rely
from dvtool.transfer.remotestore import RemoteStore


class CutBlob(NamedTuple):
    """A blob that was read to its end."""

    oid: ObjectId
    size: int
    chunker: int
    pieces: tuple[Piece, ...]

    def recipe_objects(self) -> Iterator[tuple[ObjectId, bytes]]:
        """What to store so that the blob can be put together again."""
        return recipe_objects(Recipe(self.oid, self.size, self.chunker, self.pieces))


class Cutter:
    """Reads blobs once, in bounded memory. Packs that are relied on are added to *found*."""

    def __init__(
        self,
        store: RemoteStore,
        found: Survey,
        writer: PackWriter,
        progressed: Callable[[], None],
    ) -> None:
        self._store = store
        self._found = found
        self._writer = writer
        self._progressed = progressed
        self._sent: set[bytes] = {piece.digest for each in found.send.pieces for _, piece in each.pieces}

    def cut(self, reader: Reader, settings: ChunkerSettings) -> CutBlob:
        """Cut everything that *reader* gives. Raises ``OSError``."""
        hasher = new_hasher()
        pieces: list[Piece] = []
        size = 0
        for data in cut(reader, settings):
            hasher.update(data)
            oid = object_id(data)
            size += len(data)
            pieces.append(Piece(oid, len(data), PIECE))
            if oid not in self._sent and not rely(self._store, self._found, oid, DATA, BYTES):
                self._sent.add(oid)
                self._writer.add_alone(oid, BYTES, data)
            self._progressed()
        return CutBlob(ObjectId(hasher.digest()), size, chunker_code(settings), tuple(pieces))

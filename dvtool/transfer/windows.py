"""Large blobs as requests: pieces that follow each other and come together."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple

from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.recipe import Piece
from dvtool.model.digest import ObjectId
from dvtool.transfer.localpieces import LocalPiece
from dvtool.transfer.localpieces import LocalPieces
from dvtool.transfer.ranges import RANGE_BYTES
from dvtool.transfer.ranges import RangeJob
from dvtool.transfer.ranges import RangeResult
from dvtool.transfer.ranges import Wish
from dvtool.transfer.ranges import cut_ranges
from dvtool.transfer.ranges import read_range
from dvtool.transfer.remotestore import RemotePlace
from dvtool.transfer.remotestore import RemoteStore

_SLACK = 128 << 10
"""A range is asked for a little longer than its objects: heads of records, and records shared with others."""


class Window(NamedTuple):
    """Pieces that follow each other in the blob and come with one request, or are here already."""

    pieces: list[Piece]
    job: RangeJob | None = None
    local: LocalPiece | None = None

    @property
    def bytes_asked(self) -> int:
        return self.job.length if self.job else 0

    @property
    def bytes_held(self) -> int:
        """What it takes in memory once it was read."""
        return sum(piece.length for piece in self.pieces) if self.local else self.bytes_asked

    def read(self, *, trusting: bool) -> dict[bytes, bytes]:
        """The pieces that came, by digest, verified unless *trusting*, as `read_range` says.

        Raises `StorageError` when the network fails.
        """
        if self.local is not None:
            digest = self.pieces[0].digest
            data = self.local.read(digest)
            return {} if data is None else {digest: data}
        result: RangeResult | None = read_range(self.job, trusting=trusting) if self.job else None
        return {} if result is None else {wish.oid: data for wish, data in result.objects}


class Windows:
    """Finds where pieces lie: in *local* files, else in *stores*."""

    def __init__(self, stores: Sequence[RemoteStore], local: LocalPieces | None = None) -> None:
        self._stores = stores
        self._local = local

    def cut(self, wanted: Sequence[Piece]) -> Iterator[Window]:
        """All of *wanted*, in order."""
        pieces: list[Piece] = []
        places: list[RemotePlace] = []
        store_number = 0
        previous = b""
        for piece in wanted:
            if piece.digest == previous and pieces:
                pieces.append(piece)
                continue
            previous = piece.digest
            local = self._local.get(piece.digest) if self._local is not None else None
            if local is not None:
                if pieces:
                    yield self._window(pieces, places, store_number)
                pieces, places, previous = [], [], b""
                yield Window([piece], local=local)
                continue
            found = self._place(piece)
            fits = (
                found is not None
                and places
                and found[0] == store_number
                and found[1].pack == places[-1].pack
                and found[1].offset - places[-1].offset > 0
                and found[1].offset + piece.length - places[0].offset <= RANGE_BYTES - _SLACK
            )
            if pieces and not fits:
                yield self._window(pieces, places, store_number)
                pieces, places = [], []
            pieces.append(piece)
            if found is None:
                yield Window(pieces)
                pieces, places = [], []
                continue
            store_number = found[0]
            places.append(found[1])
        if pieces:
            yield self._window(pieces, places, store_number)

    def _place(self, piece: Piece) -> tuple[int, RemotePlace] | None:
        for number, store in enumerate(self._stores):
            for place in store.find(piece.digest, DATA):
                if place.size == piece.length:
                    return number, place
        return None

    def _window(self, pieces: list[Piece], places: list[RemotePlace], store_number: int) -> Window:
        digests = dict.fromkeys(piece.digest for piece in pieces)
        wishes = [Wish(place.offset, ObjectId(digest), BYTES, place.size) for digest, place in zip(digests, places)]
        remote = self._stores[store_number].remote
        jobs = list(cut_ranges(remote, places[0].pack, wishes))
        return Window(pieces, jobs[0] if len(jobs) == 1 else None)

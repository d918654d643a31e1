"""Large blobs: put together from their pieces, in order, each piece and the whole verified."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import NamedTuple

from dvtool.disk.space import require_space
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import RECORD_PLAIN_LIMIT
from dvtool.formats.recipe import Piece
from dvtool.formats.recipe import Recipe
from dvtool.model.digest import ObjectId
from dvtool.model.ports import Reporter
from dvtool.store.recipes import whole_recipe
from dvtool.transfer.localpieces import LocalPiece
from dvtool.transfer.localpieces import LocalPieces
from dvtool.transfer.ranges import RANGE_BYTES
from dvtool.transfer.ranges import RangeJob
from dvtool.transfer.ranges import RangeResult
from dvtool.transfer.ranges import Wish
from dvtool.transfer.ranges import cut_ranges
from dvtool.transfer.ranges import read_range
from dvtool.transfer.receive import MEMORY
from dvtool.transfer.receive import Failure
from dvtool.transfer.receive import Item
from dvtool.transfer.remotestore import RemotePlace
from dvtool.transfer.session import Session

_GROUP_BYTES = 64 << 30
"""Blobs of so many bytes in all have their recipes in memory at once."""
_SLACK = 128 << 10
"""A range is asked for a little longer than its objects: heads of records, and records shared with others."""


class _Failed(Exception):
    """A piece could not be had."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


class _Window(NamedTuple):
    """Pieces that follow each other in the blob and come with one request, or are here already."""

    pieces: list[Piece]
    job: RangeJob | None = None
    local: LocalPiece | None = None


class LargeBlobs:
    """Brings large blobs from the remotes of *session* into its cache."""

    def __init__(self, session: Session, reporter: Reporter) -> None:
        self._session = session
        self._reporter = reporter
        self._local: LocalPieces | None = None

    def fetch(self, blobs: dict[ObjectId, int]) -> dict[ObjectId, Failure]:
        """Bring all of *blobs*, given with their sizes; returns what could not be had. Raises `StorageError`."""
        failures: dict[ObjectId, Failure] = {}
        group: dict[ObjectId, int] = {}
        for number, (oid, size) in enumerate(blobs.items(), 1):
            group[oid] = size
            if sum(group.values()) >= _GROUP_BYTES or number == len(blobs):
                failures.update(self._fetch_group(group))
                group = {}
        return failures

    def _fetch_group(self, blobs: dict[ObjectId, int]) -> dict[ObjectId, Failure]:
        failures: dict[ObjectId, Failure] = {}
        fetched, missing = self.remote_recipes(blobs)
        recipes = {oid: [*self._candidates(oid, size, fetched)] for oid, size in blobs.items()}
        wanted = {piece.digest for each in recipes.values() for recipe in each for piece in recipe.pieces}
        self._local = LocalPieces(self._session.cache, wanted)
        for oid in blobs:
            failure: Failure | None = missing.get(oid, Failure())
            for recipe in recipes[oid]:
                failure = self._assemble(oid, recipe)
                if failure is None:
                    self._local.add(recipe)
                    break
            if failure is not None:
                failures[oid] = failure
        return failures

    def remote_recipes(self, blobs: Iterable[ObjectId]) -> tuple[dict[ObjectId, bytes], dict[ObjectId, Failure]]:
        """The remotes' recipes of *blobs*, kept in the cache where it has none."""
        found: dict[ObjectId, bytes] = {}

        def deliver(item: Item, data: bytes) -> None:
            found[item.oid] = data
            self._session.writer.put_keyed(item.oid, RECIPE, data)

        items = [Item(oid, META, RECIPE, None) for oid in blobs]
        return found, self._session.receiver.receive(items, deliver)

    def _candidates(self, oid: ObjectId, size: int, fetched: dict[ObjectId, bytes]) -> Iterator[Recipe]:
        getters: list[Callable[[ObjectId], bytes]] = [lambda key: self._session.cache.read_meta(key, RECIPE)]
        if oid in fetched:
            getters.insert(0, lambda key: self.page(key, fetched))
        for getter in getters:
            try:
                yield whole_recipe(oid, size, getter)
            except (FormatError, IntegrityError, MissingData):
                continue

    def page(self, key: ObjectId, fetched: dict[ObjectId, bytes]) -> bytes:
        """A recipe or a page of one, from what was fetched, else from the remotes."""
        if key not in fetched:
            more, failures = self.remote_recipes([key])
            if failures:
                raise MissingData(f"a part of a recipe, blake3:{key.hex()}, is not on the remote")
            fetched.update(more)
        return fetched[key]

    def _assemble(self, oid: ObjectId, recipe: Recipe) -> Failure | None:
        session = self._session
        require_space(session.cache.tmp, recipe.size, "receive into the cache")
        try:
            with session.writer.loose_temporary() as temporary:
                for data in self._pieces(recipe):
                    temporary.write(data)
                    self._reporter.advance(len(data))
                if temporary.digest() != oid:
                    return Failure(session.stores[0].remote.name, f"recipe of {oid.hex()}")
                temporary.publish(oid)
        except _Failed as failed:
            return failed.failure
        return None

    def _pieces(self, recipe: Recipe) -> Iterator[bytes]:
        if any(piece.length > RECORD_PLAIN_LIMIT for piece in recipe.pieces):
            raise _Failed(Failure())
        last = b""
        last_data = b""
        windows = self._windows(recipe)
        work = self._session.workers.map(_read_window, windows, cost=_held, budget=MEMORY)
        for window, result in work:
            self._session.received += _bytes_of(window)
            arrived: dict[bytes, bytes] = {}
            if isinstance(result, bytes):
                arrived[window.pieces[0].digest] = result
            elif result is not None:
                arrived.update((wish.oid, data) for wish, data in result.objects)
            for piece in window.pieces:
                if piece.digest != last:
                    last_data = arrived.get(piece.digest) or self._alone(piece)
                    last = piece.digest
                yield last_data

    def _windows(self, recipe: Recipe) -> Iterator[_Window]:
        pieces: list[Piece] = []
        places: list[RemotePlace] = []
        store_number = 0
        previous = b""
        for piece in recipe.pieces:
            if piece.digest == previous and pieces:
                pieces.append(piece)
                continue
            previous = piece.digest
            local = self._local.get(piece.digest) if self._local is not None else None
            if local is not None:
                if pieces:
                    yield self._window(pieces, places, store_number)
                pieces, places, previous = [], [], b""
                yield _Window([piece], local=local)
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
                yield _Window(pieces)
                pieces, places = [], []
                continue
            store_number = found[0]
            places.append(found[1])
        if pieces:
            yield self._window(pieces, places, store_number)

    def _place(self, piece: Piece) -> tuple[int, RemotePlace] | None:
        for number, store in enumerate(self._session.stores):
            for place in store.find(piece.digest, DATA):
                if place.size == piece.length:
                    return number, place
        return None

    def _window(self, pieces: list[Piece], places: list[RemotePlace], store_number: int) -> _Window:
        digests = dict.fromkeys(piece.digest for piece in pieces)
        wishes = [Wish(place.offset, ObjectId(digest), BYTES, place.size) for digest, place in zip(digests, places)]
        remote = self._session.stores[store_number].remote
        jobs = list(cut_ranges(remote, places[0].pack, wishes))
        return _Window(pieces, jobs[0] if len(jobs) == 1 else None)

    def _alone(self, piece: Piece) -> bytes:
        """A piece that did not come with its neighbours: every copy of it is tried."""
        got: list[bytes] = []
        item = Item(ObjectId(piece.digest), DATA, BYTES, piece.length)
        failures = self._session.receiver.receive([item], lambda _, data: got.append(data))
        if failures:
            raise _Failed(failures[item.oid])
        return got[0]


def _bytes_of(window: _Window) -> int:
    return window.job.length if window.job else 0


def _held(window: _Window) -> int:
    return sum(piece.length for piece in window.pieces) if window.local else _bytes_of(window)


def _read_window(window: _Window) -> tuple[_Window, RangeResult | bytes | None]:
    if window.local is not None:
        return window, window.local.read(window.pieces[0].digest)
    return window, read_range(window.job) if window.job else None

"""Files read in part: from a remote, only the records and pieces that hold what is asked for."""

from __future__ import annotations

from bisect import bisect_left
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from itertools import accumulate
from threading import RLock
from typing import NamedTuple

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
from dvtool.model.digest import as_digest
from dvtool.model.digest import is_adopted
from dvtool.model.ports import Remote
from dvtool.store.cache import Cache
from dvtool.store.chunker import CHUNKED_FROM
from dvtool.store.recipes import whole_recipe
from dvtool.transfer.receive import MEMORY
from dvtool.transfer.receive import Failure
from dvtool.transfer.receive import Item
from dvtool.transfer.receive import Receiver
from dvtool.transfer.session import Session
from dvtool.transfer.windows import Window
from dvtool.transfer.windows import Windows

HELD = 64 << 20
"""Bytes of pieces and small files that are kept in memory: who reads on finds them there."""
_RECIPES = 64


class _Layout(NamedTuple):
    """The pieces of a file, and where each of them ends in it."""

    pieces: tuple[Piece, ...]
    ends: tuple[int, ...]


class RemoteFiles:
    """What lies on one remote, read in part, each object verified. Several threads may use it.

    Nothing is written into the cache but copies of the remote's index, and its lock is not taken.
    That a recipe is the one of its file is known only once all of the file was read and hashed.
    """

    def __init__(self, cache: Cache, remote: Remote, *, jobs: int = 0) -> None:
        self._cache = cache
        self._session = Session(cache, [remote], jobs=jobs, what="reading")
        self._session.__enter__()
        self._lock = RLock()
        self._receiver: Receiver | None = None
        self._layouts: OrderedDict[ObjectId, _Layout] = OrderedDict()
        self._held: OrderedDict[bytes, bytes] = OrderedDict()
        self._held_bytes = 0
        self._by_window = 0

    def close(self) -> None:
        """Nothing may be read any more."""
        self._session.__exit__(None, None, None)

    @property
    def bytes_received(self) -> int:
        """Bytes of packs, whole or in part."""
        return self._by_window + (self._receiver.bytes_received if self._receiver else 0)

    def read(self, oid: ObjectId, size: int, start: int, stop: int, *, ahead: int = 0) -> bytes:
        """The bytes from *start* to *stop* of a file of *size* bytes; with them *ahead* more come into memory.

        Raises `MissingData`, `IntegrityError`, `StorageError`.
        """
        if is_adopted(oid):
            raise MissingData(f"{as_digest(oid)} is not on the remote")
        if size < CHUNKED_FROM:
            return self.whole({oid: size})[oid][start:stop]
        layout = self._layout(oid, size)
        first, last = bisect_right(layout.ends, start), bisect_left(layout.ends, stop) + 1
        further = bisect_left(layout.ends, min(stop + ahead, size)) + 1
        found = self._pieces(layout.pieces[first:last], layout.pieces[last:further])
        parts: list[bytes] = []
        for number in range(first, last):
            piece = layout.pieces[number]
            begin = layout.ends[number] - piece.length
            parts.append(found[piece.digest][max(0, start - begin) : stop - begin])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def whole(self, files: Mapping[ObjectId, int]) -> dict[ObjectId, bytes]:
        """Small files as a whole, near ones with one request. Raises as `read`."""
        with self._lock:
            found = {oid: self._held[oid] for oid in files if oid in self._held}
            items = [Item(oid, DATA, BYTES, size) for oid, size in files.items() if oid not in found]
            if items:
                found.update(self._received(items).items())
            return found

    def _layout(self, oid: ObjectId, size: int) -> _Layout:
        with self._lock:
            layout = self._layouts.get(oid)
            if layout is None:
                recipe = self._recipe(oid, size)
                layout = _Layout(recipe.pieces, tuple(accumulate(piece.length for piece in recipe.pieces)))
                self._layouts[oid] = layout
                if len(self._layouts) > _RECIPES:
                    self._layouts.popitem(last=False)
            return layout

    def _recipe(self, oid: ObjectId, size: int) -> Recipe:
        recipe = None
        # What is here was checked when it came, as a whole.
        for get in (self._cached_recipe, self._remote_recipe):
            try:
                recipe = whole_recipe(oid, size, get)
                break
            except MissingData:
                if get == self._remote_recipe:
                    raise
        assert recipe is not None
        if any(piece.length > RECORD_PLAIN_LIMIT for piece in recipe.pieces):
            raise IntegrityError(f"recipe of blake3:{oid.hex()}: a piece is longer than a record")
        return recipe

    def _cached_recipe(self, key: ObjectId) -> bytes:
        return self._cache.read_meta(key, RECIPE)

    def _remote_recipe(self, key: ObjectId) -> bytes:
        return self._received([Item(key, META, RECIPE, None)], keep=False)[key]

    def _pieces(self, pieces: Sequence[Piece], further: Sequence[Piece]) -> dict[bytes, bytes]:
        with self._lock:
            found = {piece.digest: self._held[piece.digest] for piece in pieces if piece.digest in self._held}
            if all(piece.digest in found for piece in pieces):
                for digest in found:
                    self._held.move_to_end(digest)
                return found
            absent = (piece for piece in (*pieces, *further) if piece.digest not in self._held)
            wanted = list({piece.digest: piece for piece in absent}.values())
            windows = list(Windows(self._session.stores).cut(wanted))
        # The requests run beside those of other threads.
        results = self._session.workers.map(_read, windows, cost=lambda window: window.bytes_held, budget=MEMORY)
        for window, arrived in zip(windows, results):
            found.update(arrived)
            with self._lock:
                self._by_window += window.bytes_asked
                self._keep(arrived.items())
        failed = {piece.digest: piece for piece in pieces if piece.digest not in found}
        if failed:
            with self._lock:
                items = [Item(ObjectId(piece.digest), DATA, BYTES, piece.length) for piece in failed.values()]
                found.update(self._received(items).items())
        return found

    def _received(self, items: Sequence[Item], *, keep: bool = True) -> dict[ObjectId, bytes]:
        """Every copy is tried. Under the lock."""
        if self._receiver is None:
            session = self._session
            self._receiver = Receiver(session.stores, session.workers, self._cache.tmp, sync=False)
        found: dict[ObjectId, bytes] = {}

        def deliver(item: Item, data: bytes) -> None:
            found[item.oid] = data

        failures = self._receiver.receive(items, deliver)
        for oid, failure in failures.items():
            raise self._error(oid, failure)
        if keep:
            self._keep(found.items())
        return found

    def _error(self, oid: ObjectId, failure: Failure) -> MissingData | IntegrityError:
        if failure.damaged:
            return IntegrityError(
                f"remote {failure.remote}: {failure.key} does not hold the right bytes of {as_digest(oid)}",
                path=failure.key,
                hint=f"in a clone that has the data: dvtool fsck --remote {failure.remote} --deep --repair",
            )
        name = self._session.remotes[0].name
        return MissingData(f"{as_digest(oid)} is not on {name}")

    def _keep(self, objects: Iterable[tuple[bytes, bytes]]) -> None:
        for digest, data in objects:
            if digest not in self._held:
                self._held[digest] = data
                self._held_bytes += len(data)
        while self._held_bytes > HELD and len(self._held) > 1:
            _, data = self._held.popitem(last=False)
            self._held_bytes -= len(data)


def _read(window: Window) -> dict[bytes, bytes]:
    return window.read(trusting=False)

"""Large blobs: put together from their pieces, in order, and verified as a whole; piece by piece where that fails."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
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
from dvtool.store.loosetemporary import LooseTemporary
from dvtool.store.recipes import whole_recipe
from dvtool.transfer.localpieces import LocalPieces
from dvtool.transfer.receive import MEMORY
from dvtool.transfer.receive import Failure
from dvtool.transfer.receive import Item
from dvtool.transfer.session import Session
from dvtool.transfer.windows import Window
from dvtool.transfer.windows import Windows

_GROUP_BYTES = 64 << 30
"""Blobs of so many bytes in all have their recipes in memory at once."""
_GO_ON_FROM = 16 << 20
"""Blobs from this size on are gone on with after a kill."""


class _Failed(Exception):
    """A piece could not be had."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


@dataclass(slots=True)
class _Blob:
    """One that is being put together. ``last_data``: the piece before, which is often the next one too.

    ``trusting``: its pieces come unhashed (0.3 s a GiB, and the whole is hashed anyway). ``mismatched``: all pieces
    came, and the whole is something else.
    """

    oid: ObjectId
    recipe: Recipe
    temporary: LooseTemporary
    trusting: bool
    mismatched: bool = False
    failure: Failure | None = None
    last: bytes = b""
    last_data: bytes = b""


class _Step(NamedTuple):
    blob: _Blob
    window: Window
    is_last: bool = False


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
        fetched, missing = self.remote_recipes(blobs)
        recipes = {oid: [*self._candidates(oid, size, fetched)] for oid, size in blobs.items()}
        wanted = {piece.digest for each in recipes.values() for recipe in each for piece in recipe.pieces}
        self._local = LocalPieces(self._session.cache, wanted)
        nowhere = {oid: missing.get(oid, Failure()) for oid in blobs if not recipes[oid]}
        failed: dict[ObjectId, Failure] = {}
        first = [(oid, each[0]) for oid, each in recipes.items() if each]
        for blob in self._assemble(first, trusting=True):
            failure = blob.failure
            if failure is not None:
                others = recipes[blob.oid][0 if blob.mismatched else 1 :]
                failure = self._assembled_otherwise(blob.oid, others) if others else failure
            if failure is not None:
                failed[blob.oid] = failure
        return nowhere | failed

    def _assembled_otherwise(self, oid: ObjectId, recipes: Sequence[Recipe]) -> Failure | None:
        """Every piece proved, by one recipe after the other; None when that went well."""
        failure: Failure | None = None
        for recipe in recipes:
            (blob,) = self._assemble([(oid, recipe)], trusting=False)
            failure = blob.failure
            if failure is None:
                break
        return failure

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

    def _assemble(self, jobs: Sequence[tuple[ObjectId, Recipe]], *, trusting: bool) -> Iterator[_Blob]:
        """Put each together, in order; the requests for the next ones are under way meanwhile."""
        with ExitStack() as stack:
            steps = self._steps(jobs, stack, trusting=trusting)
            work = self._session.workers.map(_read, steps, cost=lambda step: step.window.bytes_held, budget=MEMORY)
            stack.callback(work.close)
            for step, arrived in work:
                self._session.received += step.window.bytes_asked
                self._append(step.blob, step.window.pieces, arrived)
                if step.is_last:
                    self._finish(step.blob)
                    yield step.blob

    def _steps(self, jobs: Sequence[tuple[ObjectId, Recipe]], stack: ExitStack, *, trusting: bool) -> Iterator[_Step]:
        assert self._local is not None
        windows = Windows(self._session.stores, self._local)
        for oid, recipe in jobs:
            blob, kept = self._begin(oid, recipe, stack, trusting=trusting)
            last = Window([])
            for window in windows.cut(recipe.pieces[kept:]):
                if last.pieces:
                    yield _Step(blob, last)
                last = window
                if blob.failure is not None:
                    break
            yield _Step(blob, last, is_last=True)

    def _begin(self, oid: ObjectId, recipe: Recipe, stack: ExitStack, *, trusting: bool) -> tuple[_Blob, int]:
        session = self._session
        require_space(session.cache.tmp, recipe.size, "receive into the cache")
        name = oid.hex().encode("ascii") if recipe.size >= _GO_ON_FROM else b""
        blob = _Blob(oid, recipe, stack.enter_context(session.writer.loose_temporary(name)), trusting)
        if any(piece.length > RECORD_PLAIN_LIMIT for piece in recipe.pieces):
            blob.failure = Failure()
            return blob, 0
        kept = blob.temporary.go_on((piece.digest, piece.length) for piece in recipe.pieces)
        self._reporter.advance(blob.temporary.size)
        return blob, kept

    def _append(self, blob: _Blob, pieces: Sequence[Piece], arrived: dict[bytes, bytes]) -> None:
        if blob.failure is not None:
            return
        try:
            for piece in pieces:
                if piece.digest != blob.last:
                    blob.last_data = arrived.get(piece.digest) or self._alone(piece)
                    blob.last = piece.digest
                blob.temporary.write(blob.last_data)
                self._reporter.advance(len(blob.last_data))
        except _Failed as failed:
            blob.failure = failed.failure

    def _finish(self, blob: _Blob) -> None:
        temporary = blob.temporary
        if blob.failure is None and temporary.digest() != blob.oid:
            blob.mismatched = True
            blob.failure = Failure(self._session.stores[0].remote.name, f"recipe of {blob.oid.hex()}")
        blob.last_data = b""
        if blob.failure is not None:
            temporary.drop()
            return
        temporary.publish(blob.oid)
        assert self._local is not None
        self._local.add(blob.recipe)

    def _alone(self, piece: Piece) -> bytes:
        """A piece that did not come with its neighbours: every copy of it is tried."""
        got: list[bytes] = []
        item = Item(ObjectId(piece.digest), DATA, BYTES, piece.length)
        failures = self._session.receiver.receive([item], lambda _, data: got.append(data))
        if failures:
            raise _Failed(failures[item.oid])
        return got[0]


def _read(step: _Step) -> tuple[_Step, dict[bytes, bytes]]:
    return step, step.window.read(trusting=step.blob.trusting)

"""What remotes prove to hold now, asked before a local object may go. See ``docs/explanation/transfer.md``."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.formats.index import IndexedPack
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.model.digest import ObjectId
from dvtool.model.ports import Remote
from dvtool.store.cache import Cache
from dvtool.store.chunker import CHUNKED_FROM
from dvtool.store.recipes import whole_recipe
from dvtool.transfer.parallel import Workers
from dvtool.transfer.parallel import threads_for
from dvtool.transfer.presence import key_of
from dvtool.transfer.receive import Item
from dvtool.transfer.receive import Receiver
from dvtool.transfer.remotestore import RemotePlace
from dvtool.transfer.remotestore import RemoteStore

_AT_ONCE = 16_384
"""Objects that are looked up together."""
_GROUP_BYTES = 64 << 30
"""Large blobs of so many bytes in all have their recipes in memory at once."""


class Asked(NamedTuple):
    """An object whose local copy may go: ``kind`` and ``size`` (plain bytes) as in a pack's table."""

    oid: ObjectId
    kind: int
    size: int


class CopyProofs:
    """Asks each of *remotes* which objects it holds; a context manager. Writes nothing there.

    A copy counts when an index, or the pack's own table, puts an object of that kind and size into a
    pack that is listed now with its size, is in no dead list, and whose tail was read and proved to be
    the table that gives the pack its name. A large blob counts through its recipe and every piece of
    it. A remote that fails proves nothing from then on, and the failure is in ``unreachable``: it is
    neither "absent" nor "present". Two names of one store count once. Memory does not grow with the objects.
    """

    def __init__(self, cache: Cache, remotes: Sequence[Remote], *, jobs: int = 0) -> None:
        self._cache = cache
        self._remotes = remotes
        self._workers = Workers(threads_for(remotes, jobs))
        self._places: list[_Place] | None = None
        self.unreachable: list[DvtoolError] = []
        self.same: list[tuple[str, str]] = []
        """Pairs of remotes that are one store: the second is not asked."""

    def __enter__(self) -> CopyProofs:
        self._workers.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._workers.__exit__(kind, error, trace)

    def each(self, objects: Iterable[Asked]) -> Iterator[tuple[Asked, tuple[str, ...]]]:
        """Every object in turn with the names of the remotes that hold it."""
        rest = iter(objects)
        while batch := list(islice(rest, _AT_ONCE)):
            names: list[tuple[str, ...]] = [()] * len(batch)
            for place in [*self._open()]:
                try:
                    held = place.hold(batch)
                except DvtoolError as error:
                    self._fail(place, error)
                    continue
                names = [(*each, place.name) if is_held else each for each, is_held in zip(names, held)]
            yield from zip(batch, names)

    def confirm(self) -> bool:
        """Look once more: True while every pack that a copy was counted in is there and not doomed."""
        for place in [*self._open()]:
            try:
                if not place.confirm():
                    return False
            except DvtoolError as error:
                self._fail(place, error)
        return not self.unreachable

    def _open(self) -> list[_Place]:
        if self._places is None:
            self._places = []
            names: dict[str, str] = {}
            for remote in self._remotes:
                place = _Place(self._cache, remote, self._workers)
                try:
                    if not place.open():
                        continue
                except DvtoolError as error:
                    self.unreachable.append(error)
                    continue
                first = names.setdefault(place.store.id, remote.name)
                if first == remote.name:
                    self._places.append(place)
                else:
                    self.same.append((first, remote.name))
        return self._places

    def _fail(self, place: _Place, error: DvtoolError) -> None:
        self.unreachable.append(error)
        assert self._places is not None
        self._places.remove(place)


class _Place:
    """One remote."""

    def __init__(self, cache: Cache, remote: Remote, workers: Workers) -> None:
        self.name = remote.name
        self.store = RemoteStore(remote, cache.root, workers)
        self._workers = workers
        self._receiver = Receiver([self.store], workers, cache.tmp, sync=False)
        self._proved: set[IndexedPack] = set()
        self._listed = False

    def open(self) -> bool:
        """False for a place that nothing was pushed to yet, and for one that only a catalog describes."""
        if not self.store.remote.capabilities.listing or not self.store.open():
            return False
        self.store.load_indexes()
        return True

    def confirm(self) -> bool:
        return not self.store.presence.look(self._proved)

    def hold(self, objects: Sequence[Asked]) -> list[bool]:
        """Which of *objects* are there, in their order."""
        held = self._hold(objects)
        large = {
            each.oid: each.size
            for each, is_held in zip(objects, held)
            if not is_held and each.kind == BYTES and each.size >= CHUNKED_FROM
        }
        whole = self._hold_in_pieces(large) if large else set()
        return [is_held or each.oid in whole for each, is_held in zip(objects, held)]

    def _hold(self, objects: Sequence[Asked]) -> list[bool]:
        held = self._look_up(objects)
        if not all(held) and not self._listed:
            # Packs that no index covers: a pusher uploads those first, and writes the index after.
            self._listed = True
            if self.store.find_uncovered():
                held = self._look_up(objects)
        return held

    def _look_up(self, objects: Sequence[Asked]) -> list[bool]:
        while True:
            chosen = [self._choose(each) for each in objects]
            unproved = {place.pack for place in chosen if place is not None} - self._proved
            if not unproved:
                return [place is not None for place in chosen]
            # Dead lists come before packs; what fails here is never chosen again.
            there = sorted(unproved - self.store.presence.look(unproved))
            for pack, is_right in zip(there, self._workers.map(self._has_its_table, there)):
                if is_right:
                    self._proved.add(pack)
                else:
                    self.store.presence.gone(pack)

    def _choose(self, asked: Asked) -> RemotePlace | None:
        best: RemotePlace | None = None
        for place in self.store.find(asked.oid, DATA if asked.kind == BYTES else META):
            if place.kind == asked.kind and place.size == asked.size:
                if place.pack in self._proved:
                    return place
                best = best or place
        return best

    def _has_its_table(self, pack: IndexedPack) -> bool:
        return self.store.read_table((key_of(pack), pack.size))[0] is not None

    def _hold_in_pieces(self, blobs: dict[ObjectId, int]) -> set[ObjectId]:
        whole: set[ObjectId] = set()
        group: dict[ObjectId, int] = {}
        for number, (oid, size) in enumerate(blobs.items(), 1):
            group[oid] = size
            if sum(group.values()) >= _GROUP_BYTES or number == len(blobs):
                whole.update(self._held_group(group))
                group = {}
        return whole

    def _held_group(self, blobs: dict[ObjectId, int]) -> Iterator[ObjectId]:
        fetched = self._recipes(blobs)
        used: list[Asked] = []

        def get(key: ObjectId) -> bytes:
            if key not in fetched:
                fetched.update(self._recipes([key]))
            if key not in fetched:
                raise MissingData(f"a recipe, blake3:{key.hex()}, is not on remote {self.name}")
            used.append(Asked(key, RECIPE, len(fetched[key])))
            return fetched[key]

        for oid, size in blobs.items():
            used.clear()
            try:
                recipe = whole_recipe(oid, size, get)
            except (FormatError, IntegrityError, MissingData):
                continue
            if self._hold_all([*used, *(Asked(ObjectId(one.digest), BYTES, one.length) for one in recipe.pieces)]):
                yield oid

    def _hold_all(self, objects: Sequence[Asked]) -> bool:
        batches = (objects[at : at + _AT_ONCE] for at in range(0, len(objects), _AT_ONCE))
        return all(all(self._hold(batch)) for batch in batches)

    def _recipes(self, keys: Iterable[ObjectId]) -> dict[ObjectId, bytes]:
        found: dict[ObjectId, bytes] = {}

        def deliver(item: Item, data: bytes) -> None:
            found[item.oid] = data

        self._receiver.receive([Item(key, META, RECIPE, None) for key in keys], deliver)
        return found

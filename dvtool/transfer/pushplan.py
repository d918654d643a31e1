"""Decides what a push has to send: what is wanted, less what is proved to be on the remote."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
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
from dvtool.formats.recipe import Piece
from dvtool.formats.recipe import Recipe
from dvtool.formats.records import Root
from dvtool.model.digest import ObjectId
from dvtool.model.ports import SILENT
from dvtool.store.chunker import CHUNKED_FROM
from dvtool.store.localpacks import PackKey
from dvtool.store.localpacks import Place
from dvtool.store.recipes import recipe_keys
from dvtool.store.recipes import whole_recipe
from dvtool.transfer.large import LargeBlobs
from dvtool.transfer.receive import digests_of
from dvtool.transfer.remotestore import RemotePlace
from dvtool.transfer.remotestore import RemoteStore
from dvtool.transfer.session import Session
from dvtool.transfer.types import MissingItem
from dvtool.transfer.types import Wanted
from dvtool.transfer.walk import Need
from dvtool.transfer.walk import Walk

_AT_ONCE = 200_000
"""So many files are held before they are looked up, at most."""


class PiecesOf(NamedTuple):
    """Pieces of a loose blob that the remote lacks, each with its offset in the blob."""

    blob: ObjectId
    pieces: list[tuple[int, Piece]]


class ToCut(NamedTuple):
    """A large blob that was never cut."""

    size: int
    at_content: bool


class Base(NamedTuple):
    """Directories by path that are complete on the remote as long as all of ``packs`` are there."""

    directories: dict[bytes, ObjectId]
    packs: list[IndexedPack]


@dataclass(slots=True)
class ToSend:
    """Objects of the cache that the remote lacks, by where they lie. ``whole``: packs of which all is lacking, with
    their tables; ``packed``: objects of other packs."""

    whole: dict[PackKey, bytes] = field(default_factory=dict)
    packed: dict[PackKey, list[tuple[Place, ObjectId]]] = field(default_factory=dict)
    loose: dict[ObjectId, int] = field(default_factory=dict)
    pieces: list[PiecesOf] = field(default_factory=list)
    to_cut: dict[ObjectId, ToCut] = field(default_factory=dict)
    objects: int = 0
    bytes: int = 0

    def add_packed(self, place: Place, oid: ObjectId) -> None:
        self.packed.setdefault(place.pack, []).append((place, oid))
        self.objects += 1
        self.bytes += place.size

    def in_packs(self) -> Iterator[ObjectId]:
        """Every object that lies in a pack."""
        for table in self.whole.values():
            yield from map(ObjectId, digests_of(table))
        for members in self.packed.values():
            for _, oid in members:
                yield oid

    @property
    def nothing(self) -> bool:
        return not self.objects


@dataclass(slots=True)
class Survey:
    """What the remote has and lacks of the wanted objects.

    ``relied``: packs on the remote that hold wanted objects. ``lost``: objects that are neither
    there nor here. ``failed``: directories that cannot be read, ``broken`` those of them that are here,
    and what is wrong with them. ``parts``: what was chosen below
    directories that are wanted in part only.
    """

    send: ToSend = field(default_factory=ToSend)
    relied: set[IndexedPack] = field(default_factory=set)
    lost: set[ObjectId] = field(default_factory=set)
    failed: list[MissingItem] = field(default_factory=list)
    broken: dict[ObjectId, DvtoolError] = field(default_factory=dict)
    parts: list[Root] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return not self.lost and not self.failed


def rely(store: RemoteStore, found: Survey, oid: bytes, pack_class: int, kind: int) -> bool:
    """Whether the remote has the object; its pack is then relied on, one that is relied on already if possible."""
    best: RemotePlace | None = None
    for place in store.find(oid, pack_class):
        if place.kind == kind:
            if place.pack in found.relied:
                return True
            best = best or place
    if best is None:
        return False
    found.relied.add(best.pack)
    return True


def survey(
    session: Session,
    store: RemoteStore,
    wanted: Sequence[Wanted],
    base: Base | None = None,
    *,
    damaged: Collection[ObjectId] = (),
    cuts_at_content: Callable[[bytes], bool] = lambda _path: True,
) -> Survey:
    """Look every wanted object up on the remote, then in the cache; only the difference where there is a *base*.

    Loose files in *damaged* count as absent. *cuts_at_content* says how a large file at a path is to be cut.
    """
    return _Surveyor(session, store, damaged, cuts_at_content).run(wanted, base)


class _Surveyor:
    def __init__(
        self,
        session: Session,
        store: RemoteStore,
        damaged: Collection[ObjectId],
        cuts_at_content: Callable[[bytes], bool],
    ) -> None:
        self._damaged = damaged
        self._cuts_at_content = cuts_at_content
        self._session = session
        self._cache = session.cache
        self._store = store
        self._found = Survey()
        self._settled: dict[int, set[bytes]] = {DATA: set(), META: set()}
        self._pending: dict[ObjectId, Need] = {}
        self._examined: set[PackKey] = set()
        self._large: dict[ObjectId, Need] = {}

    def run(self, wanted: Sequence[Wanted], base: Base | None) -> Survey:
        found = self._found
        walk = Walk(self._session.load_pages, base.directories if base else {})
        if base is not None:
            found.relied.update(base.packs)
        for need in walk.needs(wanted):
            if need.kind == BYTES and need.size >= CHUNKED_FROM:
                self._large.setdefault(need.oid, need)
            elif need.kind == BYTES:
                self._pending.setdefault(need.oid, need)
                if len(self._pending) >= _AT_ONCE:
                    self._flush()
            else:
                self._small(need)
        self._flush()
        found.failed = [MissingItem(failed.path, failed.oid) for failed in walk.failed]
        found.broken = {each.oid: each.error for each in walk.failed if not isinstance(each.error, MissingData)}
        found.parts = walk.parts
        if self._large:
            self._plan_large()
        return found

    def _flush(self) -> None:
        for need in self._pending.values():
            self._small(need)
        self._pending = {}

    def _small(self, need: Need) -> None:
        oid = need.oid
        pack_class = DATA if need.kind == BYTES else META
        settled = self._settled[pack_class]
        if oid in settled or self._rely(oid, pack_class, need.kind):
            return
        place = self._cache.packs.find(oid, pack_class)
        if place is not None and self._takes_whole(place.pack):
            return
        settled.add(oid)
        if place is not None and place.kind == need.kind:
            self._found.send.add_packed(place, oid)
        elif need.kind == BYTES and self._has_loose(oid):
            send = self._found.send
            send.loose[oid] = need.size
            send.objects += 1
            send.bytes += need.size
        else:
            self._found.lost.add(oid)

    def _takes_whole(self, key: PackKey) -> bool:
        """Settle a pack at once of which everything is wanted and nothing is on the remote: looking each of its
        objects up by itself took twice as long."""
        if key in self._examined or key.pack_class != DATA:
            return False
        self._examined.add(key)
        packs = self._cache.packs
        try:
            if packs.open(key).footer.entries > len(self._pending):
                return False
            table = packs.table(key)
        except (DvtoolError, OSError):
            return False
        digests = digests_of(table)
        if not digests <= self._pending.keys() or digests & self._settled[DATA] or digests & {*self._damaged}:
            return False
        if any(True for digest in digests for _ in self._store.find(digest, DATA)):
            return False
        self._settled[DATA] |= digests
        send = self._found.send
        send.whole[key] = table
        send.objects += len(digests)
        send.bytes += sum(self._pending[ObjectId(digest)].size for digest in digests)
        return True

    def _has_loose(self, oid: ObjectId) -> bool:
        return oid not in self._damaged and self._cache.has_loose(oid)

    def _rely(self, oid: bytes, pack_class: int, kind: int) -> bool:
        return rely(self._store, self._found, oid, pack_class, kind)

    def _plan_large(self) -> None:
        stored = [oid for oid in self._large if any(each.kind == RECIPE for each in self._store.find(oid, META))]
        large = LargeBlobs(self._session, SILENT)
        fetched, _ = large.remote_recipes(stored) if stored else ({}, {})
        for oid, need in self._large.items():
            size = need.size
            try:
                if oid in fetched:
                    recipe = whole_recipe(oid, size, lambda key: large.page(key, fetched))
                else:
                    recipe = whole_recipe(oid, size, lambda key: self._cache.read_meta(key, RECIPE))
            except (MissingData, FormatError, IntegrityError):
                self._cut_or_lose(need)
                continue
            self._pieces(oid, recipe)

    def _cut_or_lose(self, need: Need) -> None:
        if self._has_loose(need.oid):
            send = self._found.send
            send.to_cut[need.oid] = ToCut(need.size, self._cuts_at_content(need.path))
            send.objects += 1
            send.bytes += need.size
        else:
            self._found.lost.add(need.oid)

    def _pieces(self, oid: ObjectId, recipe: Recipe) -> None:
        send = self._found.send
        lacking: list[tuple[int, Piece]] = []
        offset = 0
        for piece in recipe.pieces:
            if piece.digest not in self._settled[DATA] and not self._rely(piece.digest, DATA, BYTES):
                self._settled[DATA].add(piece.digest)
                lacking.append((offset, piece))
            offset += piece.length
        if lacking and not self._has_loose(oid):
            self._settled[DATA].difference_update(piece.digest for _, piece in lacking)
            self._found.lost.add(oid)
            return
        if lacking:
            send.pieces.append(PiecesOf(oid, lacking))
            send.objects += len(lacking)
            send.bytes += sum(piece.length for _, piece in lacking)
        for key in recipe_keys(recipe):
            if key in self._settled[META] or self._rely(key, META, RECIPE):
                continue
            place = self._cache.packs.find(key, META)
            if place is None or place.kind != RECIPE:
                self._found.lost.add(oid)
                return
            self._settled[META].add(key)
            send.add_packed(place, key)


def explain(session: Session, wanted: Iterable[Wanted], lost: set[ObjectId]) -> tuple[list[MissingItem], list[Wanted]]:
    """The paths that need what is *lost* or unreadable, and those of *wanted* that are complete."""
    items: list[MissingItem] = []
    complete: list[Wanted] = []
    for each in wanted:
        walk = Walk(session.load_pages)
        before = len(items)
        items += [MissingItem(need.path, need.oid) for need in walk.needs([each]) if need.oid in lost]
        items += [MissingItem(failed.path, failed.oid) for failed in walk.failed]
        if len(items) == before:
            complete.append(each)
    return items, complete

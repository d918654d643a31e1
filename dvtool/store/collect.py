"""Collection in a cache: which files of it hold what nobody needs, and taking that away."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from dvtool.disk.lock import LockHandle
from dvtool.errors import IntegrityError
from dvtool.formats.pack import ALIAS
from dvtool.formats.pack import BYTES
from dvtool.formats.trashrun import TrashRun
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.store.consolidate import publish_packs
from dvtool.store.deletion import delete_packs
from dvtool.store.localpacks import PackKey
from dvtool.store.names import parse_loose_name
from dvtool.store.packcheck import check_arrived
from dvtool.store.packfile import Table
from dvtool.store.rewriting import rewrite
from dvtool.store.rewriting import rewritten_size
from dvtool.store.trash import sync_run

DEAD_SHARE = 4
"""A pack of which more than one part in so many is dead is made anew without it."""

_SPARE_BYTES = 1 << 20
_OID_BYTES = 32

IsLive = Callable[[bytes], bool]
"""Whether the object with a digest is needed."""


class PackView(NamedTuple):
    """A pack as a collection sees it. ``dead`` and ``total`` are plain bytes, ``changed`` Unix seconds."""

    key: PackKey
    size: int
    changed: float
    objects: int
    dead_objects: int
    total: int
    dead: int


@dataclass(frozen=True, slots=True)
class LooseFiles:
    """Loose blobs, compact: their digests one after the other, and the size of each.

    ``linked``: bytes of those that a hard link in some worktree keeps on the disk.
    """

    digests: bytes = b""
    sizes: Sequence[int] = ()
    linked: int = 0

    def oids(self) -> Iterator[ObjectId]:
        for at in range(0, len(self.digests), _OID_BYTES):
            yield ObjectId(self.digests[at : at + _OID_BYTES])


@dataclass(frozen=True, slots=True)
class Survey:
    """What is dead in a cache. ``packs``: those with something dead in them and old enough, by name.

    ``young``: dead objects in files that are too young to be touched, and their plain bytes.
    """

    packs: tuple[PackView, ...]
    loose: LooseFiles
    young_objects: int = 0
    young_bytes: int = 0


class Rewriting(NamedTuple):
    """A pack that is made anew, and the bytes of the new one."""

    pack: PackView
    new_size: int


@dataclass(frozen=True, slots=True)
class CollectionPlan:
    """Which files go. ``left``: dead objects in packs that are not worth the copying, or for which there is no room."""

    whole: tuple[PackView, ...]
    rewritten: tuple[Rewriting, ...]
    loose: LooseFiles
    young_objects: int = 0
    young_bytes: int = 0
    left_objects: int = 0
    left_bytes: int = 0
    lacks_room: bool = False

    @property
    def objects(self) -> int:
        """Stored copies that go."""
        packed = sum(pack.dead_objects for pack in (*self.whole, *(each.pack for each in self.rewritten)))
        return packed + len(self.loose.sizes)

    @property
    def bytes_freed(self) -> int:
        """By how much packs and loose objects shrink on the disk, exactly."""
        packed = sum(pack.size for pack in self.whole) + sum(each.pack.size - each.new_size for each in self.rewritten)
        return packed + sum(self.loose.sizes) - self.loose.linked

    @property
    def is_empty(self) -> bool:
        return not (self.whole or self.rewritten or self.loose.sizes)


class DeadObject(NamedTuple):
    """A stored copy that goes: ``kind`` and ``size`` (plain bytes) as in a pack's table."""

    oid: ObjectId
    kind: int
    size: int


def survey(cache: Cache, is_live: IsLive, oldest: float, reporter: Reporter = SILENT) -> Survey:
    """Look at everything in the cache; files changed after *oldest* (Unix seconds) are left alone.

    Raises `IntegrityError`, `FormatError`, ``OSError``.
    """
    packs = []
    young = [0, 0]
    reporter.begin("looking for what is not kept", unit="objects")
    for key, size in sorted(cache.packs.keys().items()):
        table = Table(cache.packs.table(key))
        changed = os.stat(cache.packs.path(key)).st_mtime
        dead_objects = dead = total = 0
        for entry in table.entries():
            total += entry.size
            if not _is_kept(is_live, entry.digest, entry.kind):
                dead_objects += 1
                dead += entry.size
        reporter.advance(len(table))
        if dead_objects and changed > oldest:
            young = [young[0] + dead_objects, young[1] + dead]
        elif dead_objects:
            packs.append(PackView(key, size, changed, len(table), dead_objects, total, dead))
    digests, sizes, linked = bytearray(), array("Q"), 0
    for oid, status in _loose(cache):
        reporter.advance(1)
        if is_live(oid):
            continue
        if status.st_mtime > oldest:
            young = [young[0] + 1, young[1] + status.st_size]
        else:
            digests += oid
            sizes.append(status.st_size)
            linked += status.st_size if status.st_nlink > 1 else 0
    reporter.end()
    return Survey(tuple(packs), LooseFiles(bytes(digests), sizes, linked), *young)


def plan_collection(found: Survey) -> CollectionPlan:
    """Packs that hold nothing else go whole, those with more dead than `DEAD_SHARE` says are made anew.

    Their new sizes are not known yet: see `with_sizes`.
    """
    whole = [pack for pack in found.packs if pack.dead_objects == pack.objects]
    partly = [pack for pack in found.packs if pack.dead_objects < pack.objects]
    rewritten = [Rewriting(pack, pack.size) for pack in partly if pack.dead * DEAD_SHARE > pack.total]
    left = [pack for pack in partly if pack.dead * DEAD_SHARE <= pack.total]
    return CollectionPlan(
        tuple(whole),
        tuple(rewritten),
        found.loose,
        found.young_objects,
        found.young_bytes,
        sum(pack.dead_objects for pack in left),
        sum(pack.dead for pack in left),
    )


def with_sizes(cache: Cache, plan: CollectionPlan, is_live: IsLive, reporter: Reporter = SILENT) -> CollectionPlan:
    """The plan with the exact size of every pack that is made anew; one that would not shrink stays.

    Raises `IntegrityError` or `FormatError` for a damaged pack.
    """
    is_kept = partial(_is_kept, is_live)
    reporter.begin("measuring packs to be made anew", total=len(plan.rewritten), unit="packs")
    measured = []
    for pack, _ in plan.rewritten:
        measured.append(Rewriting(pack, rewritten_size(cache, pack.key, is_kept)))
        reporter.advance(1)
    reporter.end()
    return _leaving(plan, [each for each in measured if each.new_size >= each.pack.size], measured)


def fitting(plan: CollectionPlan, free: int | None, *, to_trash: bool) -> CollectionPlan:
    """The plan as far as the disk has room: *free* bytes, None where that is not known.

    New packs are written before old ones go; on the way to the trash those free nothing.
    """
    sizes = [each.new_size for each in plan.rewritten]
    if free is None or not sizes:
        return plan
    gone_before = 0 if to_trash else replace(plan, rewritten=()).bytes_freed
    needed = sum(sizes) if to_trash else max(sizes)
    if needed + _SPARE_BYTES <= free + gone_before:
        return plan
    return replace(_leaving(plan, plan.rewritten, plan.rewritten), lacks_room=True)


def dead_objects(cache: Cache, plan: CollectionPlan, is_live: IsLive) -> Iterator[DeadObject]:
    """Every stored copy that goes, pack by pack, then the loose ones. Raises as `survey`."""
    for pack in (*plan.whole, *(each.pack for each in plan.rewritten)):
        for entry in Table(cache.packs.table(pack.key)).entries():
            if not _is_kept(is_live, entry.digest, entry.kind):
                yield DeadObject(ObjectId(entry.digest), entry.kind, entry.size)
    for oid, size in zip(plan.loose.oids(), plan.loose.sizes):
        yield DeadObject(oid, BYTES, size)


def execute_collection(
    cache: Cache,
    plan: CollectionPlan,
    is_live: IsLive,
    lock: LockHandle,
    trash: tuple[TrashRun, bytes] | None = None,
    reporter: Reporter = SILENT,
) -> None:
    """Carry *plan* out. *trash*: a run that `new_run` made and its directory; None deletes at once.

    Each new pack is durable and read back before the old one goes. Needs the exclusive *lock*, held
    since the roots were read. Raises ``OSError``, `StorageError`, `IntegrityError`, `FormatError`;
    what was not reached then stays, and the same call goes on.
    """
    if plan.is_empty:
        return
    into = trash[1] if trash is not None else None
    reporter.begin("deleting", total=len(plan.whole) + len(plan.rewritten) + len(plan.loose.sizes))
    delete_packs(cache, [pack.key for pack in plan.whole], lock, loose=plan.loose.oids(), into=into)
    reporter.advance(len(plan.whole) + len(plan.loose.sizes))
    is_kept = partial(_is_kept, is_live)
    for pack, new_size in plan.rewritten:
        new = rewrite(cache, pack.key, is_kept)
        publish_packs(cache, [new], [])
        final = cache.packs.path(PackKey(new.pack_class, new.id))
        check_arrived(final, new.pack_class, new.id, new.size, sync=False)
        if new.size != new_size:
            raise IntegrityError(
                f"{show(final)}: has {new.size} bytes where {new_size} were planned; the old pack was kept",
                path=final,
            )
        delete_packs(cache, [pack.key], lock, into=into)
        reporter.advance(1)
    if trash is not None:
        sync_run(cache, trash[0].id)
    cache.packs.write_index_if_due()
    cache.forget()
    reporter.end()


def _leaving(plan: CollectionPlan, left: Iterable[Rewriting], measured: Iterable[Rewriting]) -> CollectionPlan:
    stay = {each.pack for each in left}
    return replace(
        plan,
        rewritten=tuple(each for each in measured if each.pack not in stay),
        left_objects=plan.left_objects + sum(pack.dead_objects for pack in stay),
        left_bytes=plan.left_bytes + sum(pack.dead for pack in stay),
    )


def _is_kept(is_live: IsLive, digest: bytes, kind: int) -> bool:
    # What an alias leads to is known to who made it alone.
    return kind == ALIAS or is_live(digest)


def _loose(cache: Cache) -> Iterator[tuple[ObjectId, os.stat_result]]:
    folder = os.path.join(cache.root, b"objects")
    for shard in range(256):
        try:
            names = os.listdir(os.path.join(folder, b"%02x" % shard))
        except FileNotFoundError:
            continue
        for name in sorted(names):
            oid = parse_loose_name(f"objects/{shard:02x}/{os.fsdecode(name)}")
            if oid is not None:
                yield oid, os.lstat(cache.loose_path(oid))

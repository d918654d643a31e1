"""Is the cache sound, and does it hold what the pointers name: the files first, then who needs them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

from dvtool.errors import DvtoolError
from dvtool.errors import Locked
from dvtool.errors import MissingData
from dvtool.errors import storage_error
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.store.fsck.cache import CacheState
from dvtool.store.fsck.cache import check_cache_files
from dvtool.store.fsck.choice import CheckTimesFile
from dvtool.store.fsck.choice import Choice
from dvtool.store.fsck.listing import Listing
from dvtool.store.fsck.listing import list_cache
from dvtool.store.fsck.packs import check_loose
from dvtool.store.fsck.values import Affected
from dvtool.store.fsck.values import Counts
from dvtool.store.fsck.values import Finding
from dvtool.store.fsck.values import Kind
from dvtool.store.fsck.values import StoreReport
from dvtool.store.fsck.values import many
from dvtool.store.localpacks import PackKey
from dvtool.store.names import loose_name
from dvtool.store.names import pack_name
from dvtool.store.storefile import read_store_file
from dvtool.transfer.session import Session
from dvtool.transfer.types import Wanted
from dvtool.transfer.walk import Failed
from dvtool.transfer.walk import Need
from dvtool.transfer.walk import Walk

_REPAIR = "dvtool fsck --repair"
_NO_STORE = "0" * 32


IsDropped = Callable[[bytes, Wanted], bool]
"""Whether the file at a path, which a wish needs, was taken out of the cache by the user's own word."""


def _nothing_dropped(_path: bytes, _wanted: Wanted) -> bool:
    return False


def check_cache(
    cache: Cache,
    wanted: Sequence[Wanted],
    choice: Choice,
    state_dir: bytes,
    reporter: Reporter = SILENT,
    *,
    is_dropped: IsDropped = _nothing_dropped,
) -> StoreReport:
    """Check the files of the cache, and that it holds everything that *wanted* needs.

    *state_dir* keeps when each file was last read whole. Raises `StorageError` where the disk fails otherwise
    than by damage, `FormatError` for a store of a newer version, `Locked`.
    """
    try:
        if not os.path.isdir(cache.root):
            return _Check(cache, Listing(), CacheState(), reporter, is_dropped).report(wanted)
        is_alone = _is_alone(cache)
        with cache.lock.acquire(shared=True, on_wait=reporter.note, what="fsck"):
            cache.forget()
            listing = list_cache(cache.root)
            times = CheckTimesFile(state_dir, _store_id(cache))
            state = check_cache_files(cache, listing, choice, times.times, reporter)
            if state.right:
                times.save(state.files, state.right, choice.now)
            state.findings += _notes(listing, is_alone=is_alone)
            return _Check(cache, listing, state, reporter, is_dropped).report(wanted)
    except OSError as error:
        raise storage_error(error, "check", error.filename or cache.root) from error


def _is_alone(cache: Cache) -> bool:
    """Whether no other command uses the cache just now: then its temporaries belong to nobody."""
    try:
        with cache.lock.acquire(shared=False, timeout=0.0, what="fsck") as lock:
            return not lock.degraded
    except (Locked, OSError):
        return False


def _store_id(cache: Cache) -> str:
    with contextlib.suppress(DvtoolError):
        store = read_store_file(cache.root)
        if store is not None:
            return store.store_id
    return _NO_STORE


def _notes(listing: Listing, *, is_alone: bool) -> Iterator[Finding]:
    if listing.leftovers and is_alone:
        why = f"{many(len(listing.leftovers), 'temporary file')} left by commands that were stopped"
        yield _note(
            Kind.LEFTOVER, listing.leftovers[0], why, len(listing.leftovers), "the next `dvtool add` removes them"
        )
    if listing.quarantined:
        size = sum(size for _, size in listing.quarantined)
        why = f"{many(len(listing.quarantined), 'damaged file')} kept in quarantine/ ({size:,} bytes)"
        fix = "when everything is back, delete them"
        yield _note(Kind.QUARANTINE, listing.quarantined[0][0], why, len(listing.quarantined), fix)
    if listing.writable:
        place = os.fsencode(loose_name(listing.writable[0]))
        why = f"{many(len(listing.writable), 'large file')} of the cache not protected against writing"
        yield _note(Kind.WRITABLE, place, why, len(listing.writable), _REPAIR)
    if listing.stray:
        why = f"{many(len(listing.stray), 'file')} in the cache that dvtool did not put there"
        yield _note(Kind.STRAY, listing.stray[0], why, len(listing.stray), "look at them: dvtool passes them over")


def _note(kind: Kind, place: bytes, why: str, count: int, fix: str) -> Finding:
    return Finding(kind, "", place, why, affected=count, fix=fix)


@dataclass(slots=True)
class _Blame:
    """Which tracked paths suffer from what."""

    packs: dict[PackKey, Affected] = field(default_factory=dict)
    loose: dict[ObjectId, Affected] = field(default_factory=dict)
    missing: dict[bytes, Affected] = field(default_factory=dict)
    dropped: dict[bytes, Affected] = field(default_factory=dict)


class _Check:
    def __init__(
        self, cache: Cache, listing: Listing, state: CacheState, reporter: Reporter, is_dropped: IsDropped
    ) -> None:
        self._is_dropped = is_dropped
        self._cache = cache
        self._listing = listing
        self._state = state
        self._reporter = reporter
        self._blame = _Blame()
        self._unreadable: dict[bytes, PackKey] = {}
        self._counts: Counts = state.counts
        self._trees: list[Finding] = []
        for fault in state.faults.values():
            for oid, offset in fault.unreadable.items():
                self._unreadable[oid] = fault.key
                cache.packs.mark_bad(fault.key, offset)

    def report(self, wanted: Sequence[Wanted]) -> StoreReport:
        self._reporter.begin("looking for what the pointers name", unit="files")
        with Session(self._cache, [], what="fsck") as session:
            walk = Walk(session.load_pages)
            for each in wanted:
                known = len(walk.failed)
                for need in walk.needs([each]):
                    self._reporter.advance(1)
                    if need.kind == BYTES:
                        self._counts.paths += 1
                        if not self._is_there(need):
                            self._blame_for(need.oid, need.path, each)
                for failed in walk.failed[known:]:
                    self._failed(failed, each)
        self._reporter.end()
        return StoreReport("", tuple(self._findings()), self._counts)

    def _is_there(self, need: Need) -> bool:
        if self._cache.packs.find(need.oid, DATA) is not None:
            return True
        size = self._listing.loose.get(need.oid)
        if size is None or need.oid in self._state.bad_loose:
            return False
        if size == need.size:
            return True
        path = self._cache.loose_path(need.oid)
        if not check_loose(path, need.oid, lambda _: None):
            why = f"{show(need.path)}: the tree states {need.size} bytes for a file of {size}"
            self._trees.append(Finding(Kind.TREE, "", need.path, why, need.oid, (need.path,), 1))
            return True
        self._state.bad_loose[need.oid] = f"{show(path)}: {size} bytes instead of {need.size}"
        return False

    def _failed(self, failed: Failed, each: Wanted) -> None:
        if isinstance(failed.error, MissingData) or failed.oid in self._unreadable:
            self._blame_for(failed.oid, failed.path, each)
        else:
            why = failed.error.message
            self._trees.append(Finding(Kind.TREE, "", failed.path, why, failed.oid, (failed.path,), 1))

    def _blame_for(self, oid: ObjectId, path: bytes, each: Wanted) -> None:
        if oid in self._state.bad_loose:
            self._blame.loose.setdefault(oid, Affected()).add(path, oid)
        elif oid in self._unreadable:
            self._blame.packs.setdefault(self._unreadable[oid], Affected()).add(path, oid)
        else:
            kind = self._blame.dropped if self._is_dropped(path, each) else self._blame.missing
            kind.setdefault(each.path, Affected()).add(path, oid)

    def _findings(self) -> Iterator[Finding]:
        state = self._state
        for key, fault in sorted(state.faults.items()):
            place = os.fsencode(pack_name(*key))
            yield _damage(Kind.PACK, place, fault.why, self._blame.packs.get(key, Affected()))
        for oid, why in sorted(state.bad_loose.items()):
            yield _damage(Kind.LOOSE, os.fsencode(loose_name(oid)), why, self._blame.loose.get(oid, Affected()), oid)
        yield from self._trees
        for top, affected in sorted(self._blame.missing.items()):
            why = f"{show(top)}: {many(affected.count, 'object')} not in the cache"
            fix = f"dvtool fetch {show(top)}"
            paths = tuple(affected.paths)
            yield Finding(Kind.MISSING, "", top, why, affected.digest, paths, affected.count, fix)
        for top, affected in sorted(self._blame.dropped.items()):
            why = f"{show(top)}: {many(affected.count, 'file')} dropped here, which a remote had"
            yield _note(Kind.DROPPED, top, why, affected.count, f"dvtool pull {show(top)}")
        for finding in state.findings:
            own = f"{_REPAIR}, in the workspace that it belongs to" if finding.kind is Kind.ROOTS else _REPAIR
            yield replace(finding, fix=finding.fix or own)


def _damage(kind: Kind, place: bytes, why: str, affected: Affected, oid: ObjectId | None = None) -> Finding:
    return Finding(kind, "", place, why, oid or affected.digest, tuple(affected.paths), affected.count, _REPAIR)

"""From remotes into the cache: everything that can be had, and a list of what cannot."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence

from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.model.digest import ObjectId
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.store.chunker import CHUNKED_FROM
from dvtool.store.packwriter import FinishedPack
from dvtool.transfer.large import LargeBlobs
from dvtool.transfer.progress import transferring
from dvtool.transfer.receive import Failure
from dvtool.transfer.receive import Item
from dvtool.transfer.session import RemoteDamage
from dvtool.transfer.session import Session
from dvtool.transfer.types import DamagedItem
from dvtool.transfer.types import FetchResult
from dvtool.transfer.types import MissingItem
from dvtool.transfer.types import Only
from dvtool.transfer.types import Wanted
from dvtool.transfer.walk import Walk

EVERYTHING = Only()
OBJECTS_AT_ONCE = 200_000
COMMIT_BYTES = 128 << 20
"""After so many bytes what has arrived is committed, so that an interrupted fetch goes on from there."""


def fetch(
    cache: Cache,
    remotes: Sequence[Remote],
    wanted: Iterable[Wanted],
    *,
    jobs: int = 0,
    reporter: Reporter = SILENT,
    dry_run: bool = False,
    only: Only = EVERYTHING,
) -> FetchResult:
    """Bring what *wanted* needs, *only* takes and the cache lacks; nothing is contacted when it lacks nothing.

    What cannot be had does not stop the rest: the result lists it. *dry_run* fetches tree pages
    only and counts the rest. Raises `StorageError` when the network or the disk fails, and when
    something is missing while a remote could not be asked; `UsageError` for a path in ``below``
    that does not exist.
    """
    with Session(cache, remotes, jobs=jobs, reporter=reporter, what="fetch") as session:
        work = _Fetch(session, reporter, dry_run=dry_run)
        walk = Walk(session.load_pages)
        left_out = left_out_bytes = 0
        for need in walk.needs(wanted):
            if need.kind == BYTES and not cache.has_blob(need.oid):
                if only.takes(need.path, need.size):
                    work.add(need.oid, need.size, need.path)
                else:
                    left_out += 1
                    left_out_bytes += need.size
        work.flush()
        session.keep()
        broken: list[DvtoolError] = []
        for path, oid, error in walk.failed:
            if isinstance(error, RemoteDamage):
                work.damaged.append(DamagedItem(path, oid, error.failure.remote, error.failure.key))
            elif isinstance(error, MissingData):
                work.missing.append(MissingItem(path, oid))
            else:
                broken.append(error)
        if work.missing and session.unreachable:
            raise session.unreachable[0]
        missing, damaged = tuple(work.missing), tuple(work.damaged)
        return FetchResult(
            work.objects,
            session.bytes_received,
            missing,
            damaged,
            tuple(broken),
            work.plain_bytes,
            left_out,
            left_out_bytes,
        )


class _Fetch:
    def __init__(self, session: Session, reporter: Reporter, *, dry_run: bool) -> None:
        self._session = session
        self._reporter = reporter
        self._progress = reporter
        self._dry_run = dry_run
        self._pending: dict[ObjectId, Item] = {}
        self._paths: dict[ObjectId, bytes] = {}
        self._further_paths: dict[ObjectId, list[bytes]] = {}
        self._uncommitted = 0
        self.objects = 0
        self.plain_bytes = 0
        self.missing: list[MissingItem] = []
        self.damaged: list[DamagedItem] = []

    def add(self, oid: ObjectId, size: int, path: bytes) -> None:
        """The file *path* needs this blob."""
        if oid in self._pending:
            self._further_paths.setdefault(oid, []).append(path)
            return
        self._pending[oid] = Item(oid, DATA, BYTES, size)
        self._paths[oid] = path
        if len(self._pending) >= OBJECTS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Receive everything that was added."""
        pending, self._pending = self._pending, {}
        if not pending:
            return
        total = sum(item.size or 0 for item in pending.values())
        try:
            with transferring(self._reporter, "downloading", self._session.remotes, total) as self._progress:
                self._receive(pending)
        finally:
            self._paths.clear()
            self._further_paths.clear()

    def _receive(self, pending: dict[ObjectId, Item]) -> None:
        session = self._session
        if not session.remotes or not session.stores:
            self._fail(dict.fromkeys(pending, Failure()))
            return
        if self._dry_run:
            self._count_only(pending.values())
            return
        loose_all = session.cache.settings.loose_all
        small = [item for item in pending.values() if (item.size or 0) < CHUNKED_FROM]
        failures = session.receiver.receive(small, self._deliver, None if loose_all else self._adopt)
        self.objects += len(small) - len(failures)
        self._fail(failures)
        large = {item.oid: item.size for item in pending.values() if item.size and item.size >= CHUNKED_FROM}
        if large:
            session.keep()
            failures = LargeBlobs(session, self._progress).fetch(large)
            self.objects += len(large) - len(failures)
            self._fail(failures)
        session.keep()

    def _deliver(self, item: Item, data: bytes) -> None:
        self._session.writer.put_small(data, item.oid)
        self._arrived(len(data))
        self._progress.advance(len(data))

    def _adopt(self, pack: FinishedPack) -> None:
        self._session.writer.adopt_pack(pack)
        self._arrived(pack.size)
        self._progress.advance(pack.size)

    def _arrived(self, size: int) -> None:
        self._uncommitted += size
        if self._uncommitted > COMMIT_BYTES:
            self._session.keep()
            self._uncommitted = 0

    def _fail(self, failures: dict[ObjectId, Failure]) -> None:
        for oid, failure in failures.items():
            for path in (self._paths[oid], *self._further_paths.get(oid, ())):
                if failure.damaged:
                    self.damaged.append(DamagedItem(path, oid, failure.remote, failure.key))
                else:
                    self.missing.append(MissingItem(path, oid))

    def _count_only(self, items: Iterable[Item]) -> None:
        absent: dict[ObjectId, Failure] = {}
        for item in items:
            pack_class = DATA if (item.size or 0) < CHUNKED_FROM else META
            if any(True for store in self._session.stores for _ in store.find(item.oid, pack_class)):
                self.objects += 1
                self.plain_bytes += item.size or 0
            else:
                absent[item.oid] = Failure()
        self._fail(absent)

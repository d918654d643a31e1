"""Is a remote sound, and can it give back what the pointers name: its files first, then who needs them."""

from __future__ import annotations

from collections.abc import Container
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats.index import IndexedPack
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import TABLE_ENTRY_BYTES
from dvtool.formats.records import Root
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.store.fsck.choice import CheckTimesFile
from dvtool.store.fsck.choice import Choice
from dvtool.store.fsck.choice import StoredFile
from dvtool.store.fsck.choice import choose
from dvtool.store.fsck.values import Affected
from dvtool.store.fsck.values import Counts
from dvtool.store.fsck.values import Finding
from dvtool.store.fsck.values import Kind
from dvtool.store.fsck.values import StoreReport
from dvtool.store.fsck.values import many
from dvtool.store.names import STORE_FILE
from dvtool.transfer.fsck.view import RemoteView
from dvtool.transfer.fsck.view import damaged_indexes
from dvtool.transfer.fsck.view import damaged_runs
from dvtool.transfer.fsck.view import view_remote
from dvtool.transfer.fsck.whole import LookJob
from dvtool.transfer.fsck.whole import PackLook
from dvtool.transfer.fsck.whole import look_at
from dvtool.transfer.fsck.whole import temporaries
from dvtool.transfer.presence import key_of
from dvtool.transfer.pushplan import Survey
from dvtool.transfer.pushplan import survey
from dvtool.transfer.remotestore import RemoteStore
from dvtool.transfer.session import Session
from dvtool.transfer.types import Wanted
from dvtool.transfer.walk import Walk

_WRONG = (FormatError, IntegrityError)
_MEMORY = 256 << 20
"""Packs of so many bytes in all lie in temporaries at once."""


def check_remote(
    cache: Cache,
    remote: Remote,
    wanted: Sequence[Wanted],
    choice: Choice,
    state_dir: bytes,
    *,
    jobs: int = 0,
    reporter: Reporter = SILENT,
) -> StoreReport:
    """Check what lies on *remote*, and that it holds everything that *wanted* needs.

    Whole packs pass through temporaries in the cache, a few at a time; tree pages that the cache lacks are
    kept there. Raises `StorageError` when the network or a listing fails, `FormatError` for a newer store.
    """
    with Session(cache, [remote], jobs=jobs, reporter=reporter, what="fsck") as session:
        return _Check(cache, remote, session, reporter).run(wanted, choice, state_dir)


class _Check:
    def __init__(self, cache: Cache, remote: Remote, session: Session, reporter: Reporter) -> None:
        self._cache = cache
        self._remote = remote
        self._session = session
        self._reporter = reporter
        self._store = RemoteStore(remote, cache.root, session.workers)
        self._counts = Counts()
        self._fix = f"dvtool fsck --remote {remote.name} --repair"
        self._wrong: dict[str, str] = {}
        self._gone: set[str] = set()
        self._blame: dict[str, Affected] = {}
        self._missing: dict[bytes, Affected] = {}
        self._trees: list[Finding] = []

    def run(self, wanted: Sequence[Wanted], choice: Choice, state_dir: bytes) -> StoreReport:
        opened = self._open()
        if isinstance(opened, Finding):
            return self._report([opened])
        if not opened:
            return self._report(list(self._nothing(wanted)))
        roots = {Root(each.directory, each.oid): each for each in wanted if not each.below}
        view = view_remote(self._store, set(roots))
        self._store.load_indexes()
        indexes = list(damaged_indexes(self._store, view, deep=choice.deep))
        self._counts.indexes = len(view.indexes)
        self._look_at_packs(view, choice, CheckTimesFile(state_dir, self._store.id))
        self._compare(view)
        if not view.damaged_lists:
            self._needs(wanted)
        # Findings about needs stand first: they are what hurts.
        found = [*self._damaged(), *self._trees, *self._lacking(), *view.findings, *indexes]
        found += self._notes(view, roots)
        found += damaged_runs(self._store) if choice.deep else ()
        return self._report(found)

    def _report(self, findings: Sequence[Finding]) -> StoreReport:
        fixed = (replace(each, fix=each.fix or self._fix) for each in findings)
        return StoreReport(self._remote.name, tuple(fixed), self._counts)

    def _open(self) -> bool | Finding:
        try:
            if self._store.open():
                return True
        except _WRONG as error:
            if error.hint == "upgrade dvtool":
                raise
            return self._finding(Kind.STORE_FILE, STORE_FILE, error.message)
        if self._store.presence.list_packs((DATA, META)):
            return self._finding(Kind.STORE_FILE, STORE_FILE, f"remote {self._remote.name}: {STORE_FILE} is gone")
        return False

    def _nothing(self, wanted: Sequence[Wanted]) -> Iterator[Finding]:
        for each in wanted:
            why = f"{show(each.path)}: nothing was pushed to {self._remote.name} yet"
            yield Finding(Kind.MISSING, self._remote.name, each.path, why, each.oid, (each.path,), 1, "dvtool push")

    def _finding(self, kind: Kind, key: str, why: str) -> Finding:
        return Finding(kind, self._remote.name, key.encode("ascii"), why)

    def _look_at_packs(self, view: RemoteView, choice: Choice, times: CheckTimesFile) -> None:
        files = [StoredFile(key_of(pack), pack.size) for pack in view.packs]
        whole = choose(files, choice, times.times)
        right: set[str] = set()
        total = sum(pack.size for pack in view.packs if key_of(pack) in whole)
        unit = "bytes" if total else "packs"
        covered = {pack for reader in self._store.indexes().values() for pack in reader.packs}
        self._reporter.begin("reading packs", total=total or len(view.packs), unit=unit)
        with temporaries(self._cache, self._reporter) if whole else nullcontext(b"") as tmp:
            jobs = [LookJob(self._remote, pack, tmp if key_of(pack) in whole else b"") for pack in view.packs]
            for look in self._session.workers.map(look_at, jobs, cost=_cost, budget=_MEMORY):
                self._reporter.advance(look.pack.size if look.whole else 0 if total else 1)
                self._take(look, right, covered)
        self._reporter.end()
        if right:
            times.save(files, right, choice.now)

    def _take(self, look: PackLook, right: set[str], covered: Container[IndexedPack]) -> None:
        self._counts.packs += 1
        if look.whole:
            self._counts.files_read += 1
            self._counts.bytes_hashed += look.pack.size
        if look.why:
            self._wrong[key_of(look.pack)] = look.why
            self._store.presence.gone(look.pack)
            return
        self._counts.objects += len(look.table) // TABLE_ENTRY_BYTES
        if look.table and look.pack not in covered:
            self._store.added(look.pack, look.table)
        if look.table and look.whole:
            right.add(key_of(look.pack))

    def _compare(self, view: RemoteView) -> None:
        """Packs that an index names and that are not there with that size count as absent."""
        here = set(view.packs)
        named = {pack for reader in self._store.indexes().values() for pack in reader.packs} - here
        absent = sorted(pack for pack in named if key_of(pack) not in view.doomed)
        # One that came after the listing is there.
        for pack, item in zip(absent, self._session.workers.map(self._remote.stat, map(key_of, absent))):
            if item is None or item.size != pack.size:
                self._store.presence.gone(pack)
                if key_of(pack) not in self._wrong:
                    self._gone.add(key_of(pack))

    def _needs(self, wanted: Sequence[Wanted]) -> None:
        self._store.presence.read_dead()
        self._session.use_stores([self._store])
        self._reporter.begin("looking for what the pointers name")
        found = survey(self._session, self._store, wanted)
        lacking = _lacking(found)
        walk = Walk(self._session.load_pages)
        for each in wanted if lacking or found.failed else ():
            known = len(walk.failed)
            for need in walk.needs([each]):
                self._reporter.advance(1)
                if need.oid in lacking:
                    self._blame_for(lacking[need.oid], need.oid, need.path, each)
            for failed in walk.failed[known:]:
                self._blame_for(failed.oid, failed.oid, failed.path, each)
        self._counts.paths = sum(max(each.files, 1) for each in wanted)
        self._reporter.end()
        self._session.keep()

    def _blame_for(self, probe: bytes, oid: ObjectId, path: bytes, each: Wanted) -> None:
        """*probe*: what is looked up to tell which pack should hold it; a large file stands for its pieces."""
        for key in map(key_of, self._store.ever_held(probe)):
            if key in self._wrong or key in self._gone:
                self._blame.setdefault(key, Affected()).add(path, oid)
                return
        self._missing.setdefault(each.path, Affected()).add(path, oid)

    def _damaged(self) -> Iterator[Finding]:
        for key, why in sorted(self._wrong.items()):
            affected = self._blame.get(key, Affected())
            finding = self._finding(Kind.PACK, key, why)
            paths = tuple(affected.paths)
            yield replace(finding, digest=affected.digest, paths=paths, affected=affected.count)

    def _lacking(self) -> Iterator[Finding]:
        name = self._remote.name
        for key in sorted(self._gone & self._blame.keys()):
            affected = self._blame[key]
            why = f"remote {name}: {key} is gone"
            place = key.encode("ascii")
            yield Finding(Kind.MISSING, name, place, why, affected.digest, tuple(affected.paths), affected.count)
        for top, affected in sorted(self._missing.items()):
            why = f"{show(top)}: {many(affected.count, 'object')} not on {name}"
            yield Finding(Kind.MISSING, name, top, why, affected.digest, tuple(affected.paths), affected.count)

    def _notes(self, view: RemoteView, roots: dict[Root, Wanted]) -> Iterator[Finding]:
        unneeded = sorted(self._gone - self._blame.keys())
        if unneeded:
            why = f"{many(len(unneeded), 'pack')} gone that an index still names"
            yield replace(self._finding(Kind.LOST_PACK, unneeded[0], why), affected=len(unneeded))
        unkept = [each for root, each in roots.items() if root not in view.kept]
        if unkept and not self._missing:
            why = f"{many(len(unkept), 'tracked path')} that no root record keeps"
            fix = f"dvtool push --remote {self._remote.name}"
            finding = Finding(Kind.UNKEPT, self._remote.name, unkept[0].path, why, affected=len(unkept), fix=fix)
            yield replace(finding, paths=tuple(each.path for each in unkept[:1_000]))


def _cost(job: LookJob) -> int:
    return job.pack.size if job.tmp else 0


def _lacking(found: Survey) -> dict[ObjectId, bytes]:
    """Every object that the remote lacks, each with the digest to look up to see which pack held it."""
    send = found.send
    lacking: dict[ObjectId, bytes] = {oid: oid for oid in send.in_packs()}
    lacking.update((oid, oid) for group in (send.loose, send.to_cut, found.lost) for oid in group)
    lacking.update((each.blob, each.pieces[0][1].digest) for each in send.pieces)
    return lacking

"""From the cache to a remote, and the proof that it arrived. See ``docs/explanation/transfer.md``."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.disk.lock import LockHandle
from dvtool.errors import AccessDenied
from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.index import IndexedPack
from dvtool.formats.records import ChunkerSettings
from dvtool.formats.records import Root
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import read_only
from dvtool.store.cache import Cache
from dvtool.store.salvage import set_aside_damage
from dvtool.transfer.journal import Done
from dvtool.transfer.journal import DoneMemo
from dvtool.transfer.journal import Journal
from dvtool.transfer.journal import KnownRemotes
from dvtool.transfer.outgoing import Outgoing
from dvtool.transfer.presence import key_of
from dvtool.transfer.progress import transferring
from dvtool.transfer.pushplan import Base
from dvtool.transfer.pushplan import Survey
from dvtool.transfer.pushplan import explain
from dvtool.transfer.pushplan import survey
from dvtool.transfer.remotestore import RemoteStore
from dvtool.transfer.rootrecords import is_proved
from dvtool.transfer.rootrecords import is_young
from dvtool.transfer.rootrecords import promise_name
from dvtool.transfer.rootrecords import root_name
from dvtool.transfer.rootrecords import write_records
from dvtool.transfer.sending import send
from dvtool.transfer.session import Session
from dvtool.transfer.types import MissingItem
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import PushResult
from dvtool.transfer.types import Wanted

_ROUNDS = 6
_LIST_FROM = 1 << 20
"""Where so many bytes would be sent, a listing first shows packs that no index covers."""
_RECORDS_KEPT = 64
_PROMISE_SECONDS = 86_400.0
_DIFFERENCE_FROM = 20_000
"""Where fewer files are wanted, all of them are looked up: that takes 6 us each."""
_DIFFERENCE_PACKS = 1_024
"""Packs of older states add up in the record; over so many, all files are looked up again."""


@dataclass(slots=True)
class PushPlan:
    """What a push will send. ``objects`` and ``bytes`` (plain) are upper bounds for files that are yet to be cut.

    ``missing``: what is neither here nor there, by path; the rest is sent all the same.
    """

    remote: str
    objects: int
    bytes: int
    missing: tuple[MissingItem, ...]
    up_to_date: bool


def plan_push(
    cache: Cache,
    remote: Remote,
    wanted: Sequence[Wanted],
    context: PushContext,
    reporter: Reporter = SILENT,
) -> PushPlan:
    """What `push` would do now. Writes nothing on the remote. Raises `StorageError`, `IntegrityError`."""
    with _Push(cache, remote, wanted, context, reporter) as work:
        return work.plan()


def push(
    cache: Cache,
    remote: Remote,
    wanted: Sequence[Wanted],
    context: PushContext,
    reporter: Reporter = SILENT,
) -> PushResult:
    """Send what the remote lacks of *wanted*, write the root record, and look once more that all is there.

    Raises `MissingData` with one cause for each path whose bytes are neither here nor there, and
    `IntegrityError` likewise for damaged ones, after everything else was sent; the root record then
    names the complete roots only. Raises `StorageError` when the network or the disk fails: the same
    push goes on from there.
    """
    with _Push(cache, remote, wanted, context, reporter) as work:
        return work.run()


class _Proved(NamedTuple):
    packs: list[IndexedPack]
    record_needed: bool


class _Push:
    def __init__(
        self, cache: Cache, remote: Remote, wanted: Sequence[Wanted], context: PushContext, reporter: Reporter
    ) -> None:
        self._cache = cache
        self._remote = remote
        self._wanted = wanted
        self._context = context
        self._reporter = reporter
        self._session = Session(cache, [remote], jobs=context.jobs, reporter=reporter, what="push")
        self._store = RemoteStore(remote, cache.root, self._session.workers)
        self._lock: LockHandle | None = None
        self._damaged: set[ObjectId] = set()
        self._objects = self._bytes = 0
        self._sent: list[IndexedPack] = []
        self._relied: Sequence[IndexedPack] = ()
        self._promised = time.monotonic()

    def __enter__(self) -> _Push:
        self._session.__enter__()
        if os.path.isdir(self._cache.root):
            self._lock = self._cache.lock.acquire(shared=True, on_wait=self._reporter.note)
            # Packs seen before the lock may have been merged since.
            self._cache.forget()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if kind is None:
                self._session.keep()
            self._session.__exit__(kind, error, trace)
        finally:
            if self._lock is not None:
                self._lock.release()

    def plan(self) -> PushPlan:
        name = self._remote.name
        self._open()
        if self._proved_by_memo() is not None:
            return PushPlan(name, 0, 0, (), up_to_date=True)
        found = self._survey()
        missing: list[MissingItem] = []
        if not found.complete:
            missing, _ = explain(self._session, self._wanted, found.lost)
        done = found.send.nothing and found.complete
        return PushPlan(name, found.send.objects, found.send.bytes, tuple(missing), up_to_date=done)

    def _open(self) -> None:
        """Read what store this is. A directory that does not exist yet is a new place; the first write creates it.

        One that this clone has pushed to before is not: a share that is not mounted now.
        """
        if not self._remote.capabilities.write:
            raise read_only(self._remote.name, self._remote.url)
        known = KnownRemotes(self._context.journal_dir)
        try:
            opened = self._store.open()
        except (AccessDenied, TransientError):
            raise
        except StorageError:
            if known.store_id(self._remote.url) is not None:
                raise
            opened = False
        self._session.use_stores([self._store] if opened else [])

    def run(self) -> PushResult:
        if not self._wanted:
            return self._result()
        self._open()
        proved = self._proved_by_memo()
        if proved is not None:
            self._relied = proved.packs
            if not proved.record_needed:
                return self._result()
            found = Survey(relied=set(proved.packs))
            roots = [Root(each.directory, each.oid) for each in self._wanted]
            self._send_until_proved(found, roots)
            return self._result()
        found = self._survey()
        self._store.open_or_create(os.urandom(16).hex(), ChunkerSettings())
        KnownRemotes(self._context.journal_dir).remember(self._remote.url, self._store.id)
        self._session.use_stores([self._store])
        self._send_until_proved(found, None)
        return self._result()

    def _result(self) -> PushResult:
        store = self._store.store_file
        sent, store_id = tuple(self._sent), store.store_id if store else ""
        return PushResult(self._objects, self._bytes, len(sent), not sent, store_id, sent, tuple(self._relied))

    def _proved_by_memo(self) -> _Proved | None:
        """An earlier push of this clone had all these roots, and every pack that it relied on is there now."""
        if self._store.store_file is None or not self._wanted:
            return None
        roots = frozenset(root_name(Root(each.directory, each.oid)) for each in self._wanted)
        done = DoneMemo(self._context.journal_dir, self._store.id).covering(roots)
        packs = done.remote_packs() if done is not None else None
        if done is None or packs is None:
            return None
        # The order of the second look: dead lists, packs, record.
        if self._store.presence.look(packs):
            return None
        record = done.records.get(promise_name(self._context.commits))
        item = self._remote.stat(record) if record is not None else None
        now = max(self._context.now, self._store.presence.newest)
        kept = record is not None and is_young(item, now) and not self._store.presence.is_released(record)
        return _Proved(packs, record_needed=not kept)

    def _survey(self) -> Survey:
        store = self._store
        if store.store_file is None:
            return survey(
                self._session, store, self._wanted, damaged=self._damaged, cuts_at_content=self._context.cuts_at_content
            )
        store.load_indexes()
        with self._journal() as journal:
            store.read_tables(journal.earlier().items())
        listed = False
        base = self._base()
        while True:
            found = survey(
                self._session,
                store,
                self._wanted,
                base,
                damaged=self._damaged,
                cuts_at_content=self._context.cuts_at_content,
            )
            if not listed and (found.send.bytes >= _LIST_FROM or (found.send.objects and not store.has_indexes)):
                listed = True
                if store.find_uncovered():
                    continue
            if not found.relied or not store.presence.look(found.relied):
                return found
            base = None

    def _base(self) -> Base | None:
        """Directories as an earlier push left them, where walking all of the new ones would take long."""
        large = {each.path for each in self._wanted if each.directory and not each.below}
        if sum(each.files for each in self._wanted) < _DIFFERENCE_FROM:
            return None
        for done in DoneMemo(self._context.journal_dir, self._store.id).entries:
            known = {bytes.fromhex(path): ObjectId(bytes.fromhex(top)) for path, top in done.directories.items()}
            packs = done.remote_packs()
            if packs is not None and len(packs) <= _DIFFERENCE_PACKS and large & known.keys():
                return Base(known, packs)
        return None

    def _journal(self) -> Journal:
        return Journal(self._context.journal_dir, self._store.id, os.urandom(8).hex())

    def _send_until_proved(self, found: Survey, roots: list[Root] | None) -> None:
        for _ in range(_ROUNDS):
            if self._send(found):
                # Something here is damaged: what it shared with others may be had from those.
                found, roots = self._survey(), None
                continue
            problems: list[MissingItem] = []
            if roots is None:
                problems, roots = self._complete_roots(found)
            packs = sorted(found.relied)
            records = write_records(self._remote, self._context, roots, packs) if roots else []
            if is_proved(self._store, records, packs):
                if not problems:
                    self._relied = packs
                    self._remember(roots, packs, records)
                    return
                raise self._incomplete(problems, found.broken)
            found, roots = self._survey(), None
        raise StorageError(
            f"remote {self._remote.name}: packs that were uploaded keep vanishing", hint="run `dvtool push` again later"
        )

    def _send(self, found: Survey) -> bool:
        """Send everything; True when some of it turned out to be damaged here."""
        store = self._store
        bad: set[ObjectId] = set()
        assert store.store_file is not None
        with self._journal() as journal:
            journal.earlier()
            if not found.send.nothing:
                with (
                    transferring(self._reporter, "uploading", [self._remote], found.send.bytes) as progress,
                    Outgoing(store, journal, self._cache.tmp, progress, self._promise) as outgoing,
                ):
                    bad = send(self._session, store, found, outgoing, store.store_file.chunker)
                self._session.keep()
                self._damaged |= bad
                found.relied.update(outgoing.sent)
                self._objects += outgoing.objects
                self._bytes += outgoing.bytes_sent
                self._sent += outgoing.sent
            if store.uncovered():
                store.write_index()
            journal.covered()
        return bool(bad)

    def _promise(self, packs: Sequence[IndexedPack]) -> None:
        """A push that lasts for days names its packs meanwhile, so that no collection takes them for waste."""
        now = time.monotonic()
        if now - self._promised > _PROMISE_SECONDS:
            self._promised = now
            write_records(self._remote, self._context, [], packs)

    def _complete_roots(self, found: Survey) -> tuple[list[MissingItem], list[Root]]:
        if found.complete:
            whole = [Root(each.directory, each.oid) for each in self._wanted if not each.below]
            return [], [*whole, *found.parts]
        problems, complete = explain(self._session, self._wanted, found.lost)
        if not problems:
            # Parts of recipes have no path of their own; nothing is claimed while one is lost.
            return [MissingItem(each.path, oid) for each, oid in zip(self._wanted, found.lost)], []
        return problems, [Root(each.directory, each.oid) for each in complete if not each.below]

    def _remember(self, roots: list[Root], packs: list[IndexedPack], records: list[str]) -> None:
        memo = DoneMemo(self._context.journal_dir, self._store.id)
        names = frozenset(map(root_name, roots))
        before = memo.covering(names)
        earlier = before.records if before is not None and before.roots == names else {}
        if records:
            earlier = {**earlier, promise_name(self._context.commits): records[0]}
        kept = tuple((key_of(pack), pack.size) for pack in packs)
        directories = {each.path.hex(): each.oid.hex() for each in self._wanted if each.directory and not each.below}
        memo.remember(Done(names, kept, dict([*earlier.items()][-_RECORDS_KEPT:]), directories))

    def _incomplete(self, problems: list[MissingItem], broken: Mapping[ObjectId, DvtoolError]) -> DvtoolError:
        for aside in set_aside_damage(self._cache, self._session.damage, what="push", on_wait=self._reporter.note):
            self._reporter.note(f"{show(aside.path)} was damaged and is set aside in {show(aside.moved_to)}")
        causes: list[DvtoolError] = []
        for path, oid, _ in problems:
            if oid in self._damaged:
                causes.append(
                    IntegrityError(
                        f"{show(path)}: its bytes in the cache are damaged",
                        path=path,
                        hint="`dvtool add` it again, then `dvtool push`",
                    )
                )
            elif oid in broken:
                causes.append(broken[oid])
            else:
                causes.append(
                    MissingData(f"{show(path)}: blake3:{oid.hex()} is neither here nor on the remote", path=path)
                )
        count = len(problems)
        what = f"{count} path{'s' if count != 1 else ''} could not be pushed to {self._remote.name}"
        hint = "everything else was pushed; `dvtool pull` from another remote, or `dvtool add` the data again"
        if self._damaged:
            return IntegrityError(f"{what}: bytes in the cache are damaged", hint=hint, causes=tuple(causes))
        if any(not isinstance(error, IntegrityError) for error in broken.values()):
            hint = "dvtool writes no such listing: see where its pointer comes from (`git log -p -- FILE`)"
            return DvtoolError(what, hint=hint, causes=tuple(causes))
        return MissingData(
            f"{what}: the data is neither in the cache nor on the remote", hint=hint, causes=tuple(causes)
        )

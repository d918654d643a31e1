"""Deleting on a remote what nobody needs, without a lock. See ``docs/explanation/deleting-on-a-remote.md``.

The order is what makes it safe, and `tests/model` holds it: read the lists, the records, the lists, the packs;
copy what is needed; doom (write a dead list); after the grace read everything again, copy again, delete.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace

from dvtool.disk.lock import LockHandle
from dvtool.errors import StorageError
from dvtool.formats.records import DeadList
from dvtool.formats.records import decode_dead_list
from dvtool.formats.records import encode_dead_list
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.store.names import DEAD
from dvtool.transfer.catalog import renew_catalog
from dvtool.transfer.collect.copying import Copied
from dvtool.transfer.collect.copying import Copier
from dvtool.transfer.collect.look import Look
from dvtool.transfer.collect.look import look
from dvtool.transfer.collect.marks import Standing
from dvtool.transfer.collect.pages import MetaPages
from dvtool.transfer.collect.plan import live_bytes
from dvtool.transfer.collect.plan import plan_doom
from dvtool.transfer.collect.types import CollectContext
from dvtool.transfer.collect.types import CollectDone
from dvtool.transfer.collect.types import DeadObject
from dvtool.transfer.collect.types import DoomPlan
from dvtool.transfer.collect.types import FinishPlan
from dvtool.transfer.collect.types import ListedRecord
from dvtool.transfer.collect.types import MissingObject
from dvtool.transfer.collect.types import Selection
from dvtool.transfer.collect.types import Times
from dvtool.transfer.collect.view import server_time
from dvtool.transfer.deletion import Proof
from dvtool.transfer.deletion import delete_doomed
from dvtool.transfer.journal import Journal
from dvtool.transfer.parallel import Workers
from dvtool.transfer.parallel import threads_for
from dvtool.transfer.presence import key_of
from dvtool.transfer.remotestore import RemoteStore


@dataclass(frozen=True, slots=True)
class CollectPlan:
    """What a collection would do now.

    ``bytes_freed``: deleted in this run. ``bytes_doomed``: deleted by a run after the grace. ``until``: when
    that is at the earliest, by the server's clock. ``missing``: what roots need and no pack holds (the first
    thousand of ``missing_count``). ``released``: the records that keep nothing from now on.
    """

    doom: DoomPlan
    finish: FinishPlan
    bytes_freed: int
    bytes_doomed: int
    until: float
    released: tuple[ListedRecord, ...]
    missing: tuple[MissingObject, ...]
    missing_count: int

    @property
    def nothing(self) -> bool:
        return self.doom.nothing and not self.finish.lists


class Collection:
    """A collection on one remote: a context manager. `plan` looks, `execute` carries out what was planned.

    All methods raise `StorageError` when the network fails, and whatever leaves a doubt about what is needed.
    """

    def __init__(
        self,
        cache: Cache,
        remote: Remote,
        selection: Selection,
        times: Times,
        context: CollectContext,
        reporter: Reporter = SILENT,
    ) -> None:
        self._cache = cache
        self._remote = remote
        self._selection = selection
        # Whoever pushes must see a dead list, and whoever deletes a record, however late listings are.
        self._times = times._replace(grace=max(times.grace, 2 * remote.capabilities.listing_delay))
        self._context = context
        self._reporter = reporter
        self._workers = Workers(threads_for([remote], context.jobs))
        self._store = RemoteStore(remote, cache.root, self._workers)
        self._lock: LockHandle | None = None
        self._look: Look | None = None

    def __enter__(self) -> Collection:
        self._workers.__enter__()
        if os.path.isdir(self._cache.root):
            self._lock = self._cache.lock.acquire(shared=True, on_wait=self._reporter.note)
            self._cache.forget()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            self._workers.__exit__(kind, error, trace)
        finally:
            if self._lock is not None:
                self._lock.release()

    def plan(self, *, dry_run: bool = False) -> CollectPlan:
        """Look at everything. With *dry_run* the caller's clock stands in where nothing may be written."""
        _require(self._remote)
        if not self._store.open():
            return CollectPlan(DoomPlan(), FinishPlan(), 0, 0, self._context.now, (), (), 0)
        now = server_time(self._remote, self._context.now if dry_run else None)
        seen = self._look = self._look_now(now)
        whole, rewrite, size = plan_doom(seen.marks.uses(Standing.CANDIDATE))
        doom = DoomPlan(tuple(whole), tuple(rewrite), seen.released, size)
        finish = _plan_finish(seen, self._times.grace)
        at_once = self._times.grace <= 0 and not doom.nothing
        return CollectPlan(
            doom,
            finish,
            finish.bytes + (doom.bytes if at_once else 0),
            0 if at_once else doom.bytes,
            now + self._times.grace,
            tuple(each for each in seen.view.records if each.key in seen.released),
            seen.missing,
            seen.missing_count,
        )

    def objects(self, plan: CollectPlan) -> Iterator[tuple[DeadObject, bool]]:
        """Every object that *plan* does away with, by digest; True for those that are deleted in this run.

        Call it before `execute`.
        """
        assert self._look is not None or plan.nothing
        if self._look is None:
            return
        doomed = {*plan.doom.whole, *plan.doom.rewrite}
        at_once = self._times.grace <= 0
        for each in self._look.marks.dead_in([*doomed, *plan.finish.packs]):
            yield each, at_once or each.pack not in doomed

    def execute(self, plan: CollectPlan, dooms: Callable[[str], None] = lambda _: None) -> CollectDone:
        """Doom, then finish what is due: with a grace of 0 also what has just been doomed.

        *dooms* hears the key of the dead list before it is written: what `undo_collection` takes.
        """
        seen = self._look
        if plan.nothing or seen is None:
            return CollectDone()
        with Journal(self._context.journal_dir, self._store.id, os.urandom(8).hex()) as journal:
            if self._store.uncovered():
                # What killed pushes and collections have left is not to be read pack by pack for ever.
                self._store.write_index()
            copier = Copier(self._cache, self._store, journal, self._reporter)
            done = CollectDone() if plan.doom.nothing else self._doom(plan.doom, seen, copier, dooms)
            if done.dead_list and self._times.grace <= 0:
                # The records are read again after the list was written: who pushed meanwhile is heard.
                seen = self._look = self._look_now(server_time(self._remote, None))
                return self._finish(_plan_finish(seen, self._times.grace), seen, copier, done)
            if plan.finish.lists:
                return self._finish(plan.finish, seen, copier, done)
            return done

    def _look_now(self, now: float) -> Look:
        with MetaPages(self._cache, self._store, self._workers) as pages:
            return look(self._store, pages, self._selection, self._times, now)

    def _doom(self, plan: DoomPlan, seen: Look, copier: Copier, dooms: Callable[[str], None]) -> CollectDone:
        copied = copier.copy(seen.marks.live_in(plan.rewrite))
        rewrite = tuple(pack for pack in plan.rewrite if key_of(pack) not in copied.failed_keys)
        dead = DeadList(tuple(map(key_of, (*plan.whole, *rewrite))), plan.records)
        key = self._write_list(dead, dooms) if dead.packs or dead.records else ""
        doomed = replace(plan, rewrite=rewrite)
        return _added(CollectDone(dead_list=key, doomed=doomed), copied)

    def _write_list(self, dead: DeadList, dooms: Callable[[str], None]) -> str:
        key = DEAD + os.urandom(8).hex()
        data = encode_dead_list(dead)
        decode_dead_list(data, key)  # a list that nobody can read would stop every push
        dooms(key)
        self._remote.put(key, data)
        if self._remote.get(key) != data:
            raise StorageError(f"remote {self._remote.name}: {key} is not there as it was written")
        renew_catalog(self._remote)
        return key

    def _finish(self, plan: FinishPlan, seen: Look, copier: Copier, done: CollectDone) -> CollectDone:
        copied = copier.copy(seen.marks.live_in(plan.packs))
        lists = {key: seen.view.dead[key][0] for key in plan.lists}
        # What a pack holds whose table cannot be read is not known: it keeps its key too.
        unknown = {key for dead in lists.values() for key in dead.packs if key in seen.view.packs} - seen.packs.keys()
        copied.failed_keys.update(unknown)
        proof = Proof(lists, frozenset(copied.failed_keys))
        delete_doomed(self._remote, self._workers, proof, self._store.drop_from_index)
        return _added(replace(done, finished=plan), copied)


def _plan_finish(seen: Look, grace: float) -> FinishPlan:
    lists = seen.view.ripe(grace)
    packs = seen.packs_of({key for each in lists for key in seen.view.dead[each][0].packs})
    chosen = set(packs)
    uses = [use for use in seen.marks.uses(Standing.DOOMED) if use.pack in chosen]
    size = sum(use.pack.size - live_bytes(use) for use in uses)
    return FinishPlan(tuple(lists), tuple(packs), sum(use.live_objects for use in uses), size)


def _added(done: CollectDone, copied: Copied) -> CollectDone:
    return replace(
        done,
        copied_objects=done.copied_objects + copied.objects,
        copied_bytes=done.copied_bytes + copied.bytes,
        kept_back=(*done.kept_back, *sorted(copied.failed_keys)),
    )


def _require(remote: Remote) -> None:
    can = remote.capabilities
    for has, what in (
        (can.write and can.delete, "nothing can be deleted there"),
        (can.listing, "it cannot list its keys"),
        (can.server_time, "it does not say when a key was written"),
    ):
        if not has:
            raise StorageError(
                f"remote {remote.name}: no collection there, for {what}",
                hint="collect through a URL of the same place that can, s3:// or a directory",
            )

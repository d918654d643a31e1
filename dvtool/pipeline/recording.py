"""Finished stages on their way into the cache and the locks, many at a time where they come quickly.

Making one stage durable takes several syncs. So stages that end within a moment share them: their outputs go into one
pack, then their records into the journal of the locks. Until then a note that survives a kill says that they ended
well, and the next `repro` records them; the lock never names bytes that are not safe.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING
from typing import NamedTuple

from dvtool.errors import StageFailed
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.formats.lock import Content
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import Storing
from dvtool.formats.lock import decode_lock
from dvtool.formats.lock import encode_lock
from dvtool.formats.pack import TREE
from dvtool.model.paths import LOCK_JOURNAL
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.pipeline.claims import Claims
from dvtool.pipeline.claims import Finished
from dvtool.pipeline.lockfile import LockWriter
from dvtool.pipeline.observe import Observer
from dvtool.pipeline.outputs import content_of
from dvtool.pipeline.outputs import entry_of
from dvtool.pipeline.outputs import storing_of
from dvtool.pipeline.outputs import tracked_output
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import Out
from dvtool.pipeline.types import Stage
from dvtool.workspace.aside import Aside
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.sinks import StoreSink
from dvtool.workspace.sinks import is_small
from dvtool.workspace.snapshot import Snapshot
from dvtool.workspace.worktree import Worktree

if TYPE_CHECKING:
    from dvtool.store.cachewriter import CacheWriter

SECONDS = 0.5
"""A finished stage is recorded after so long at the latest, if others end all the time."""
_MOST = 512
_NEW_LOOK_SECONDS = 0.05


class Change(NamedTuple):
    """An output before and after, for who takes a run back: the cache has the bytes of both."""

    path: bytes
    before: Entry | None
    after: Entry


class _Pending(NamedTuple):
    stage: Stage
    record: LockedStage
    seen: Observation | None
    entries: Mapping[bytes, Entry]
    folder: bytes


class Recording:
    """Takes finished stages of one locked worktree; a context manager. ``changes``: outputs that were recorded anew.

    *commit*: outputs go into the cache; else only their digests are recorded. *keep* is told of what was stored, before
    the cache's lock is given back; *remember* of each stage that ran, once its outputs are in the cache. *claims*:
    which stage had which output, for none may have two owners.
    """

    def __init__(
        self,
        worktree: Worktree,
        observer: Observer,
        aside: Aside,
        reporter: Reporter,
        *,
        clock: Callable[[], float],
        durable: bool,
        commit: bool,
        keep: Callable[[Sequence[Tracked]], None],
        remember: Callable[[Stage, Observation, LockedStage], None] | None = None,
        claims: Claims | None = None,
    ) -> None:
        self._worktree = worktree
        self._observer = observer
        self._aside = aside
        self._reporter = reporter
        self._clock = clock
        self._durable = durable
        self._commit = commit
        self._keep = keep
        self._remember = remember
        self._claims = claims
        self._opened = ExitStack()
        self._locks: LockWriter | None = None
        self._storing = ExitStack()
        self._writer: CacheWriter | None = None
        self._looks: dict[bool, tuple[float, Snapshot]] = {}
        self._pending: list[_Pending] = []
        self._oldest = 0.0
        self._is_broken = False
        self.changes: dict[bytes, Change] = {}

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stop_storing()
        finally:
            self._opened.__exit__(kind, error, trace)

    @property
    def is_waiting(self) -> bool:
        """True when a finished stage is not recorded yet."""
        return bool(self._pending)

    @property
    def is_due(self) -> bool:
        """True when one of them has waited long enough."""
        return len(self._pending) >= _MOST or (self.is_waiting and self._clock() - self._oldest >= SECONDS)

    @property
    def locks(self) -> LockWriter:
        """The writer of the locks, opened at first use."""
        if self._locks is None:
            worktree = self._worktree
            writer = LockWriter(worktree.root, worktree.state_dir, durable=self._durable)
            self._locks = self._opened.enter_context(writer)
        return self._locks

    def add(self, stage: Stage, seen: Observation, folder: bytes) -> LockedStage:
        """The stage ended well; *seen* is what it found, *folder* where its old outputs lie.

        Raises `StageFailed` for an output that is not there, `UnsafeInput`, `StorageError`.
        """
        try:
            entries = {out.path: self._take(stage, out, store=self._stores) for out in stage.outs}
        except StorageError as error:
            if self._is_broken:
                raise
            # A full cache, say: the bytes are where the stage wrote them, and the next `repro` stores them.
            self._give_up_storing()
            entries = {out.path: self._take(stage, out, store=False) for out in stage.outs}
            self._note(stage, seen, entries, folder)
            raise _not_stored(error) from error
        return self._note(stage, seen, entries, folder)

    def take_over(self, stages: Mapping[str, Stage]) -> list[str]:
        """What a killed `repro` had finished and not recorded; the stages, as far as their outputs still stand."""
        found: list[str] = []
        if os.path.lexists(os.path.join(self._worktree.state_dir, LOCK_JOURNAL)):
            # Whoever was killed had recorded stages that do not stand in their locks yet.
            _ = self.locks
        for folder, note in self._aside.read_finished():
            address, _, lock = note.partition(b"\0")
            stage = stages.get(os.fsdecode(address))
            record = None if stage is None else decode_lock(lock, show(address)).get(stage.name)
            if stage is None or record is None or record.outs.keys() != {out.path for out in stage.outs}:
                self._aside.drop(folder)
                continue
            if any(self._observer.content(path) != content for path, content in record.outs.items()):
                self._aside.drop(folder)
                continue
            entries = {out.path: self._take(stage, out, store=self._stores) for out in stage.outs}
            self._put(_Pending(stage, record, None, entries, folder))
            found.append(stage.address)
        self.flush()
        self._aside.forget_finished()
        return found

    def flush(self) -> None:
        """Record what waits. Raises `StorageError`: then the next `repro` does it."""
        if not self._pending or self._is_broken:
            return
        pending = self._pending
        try:
            if self._writer is not None:
                self._writer.commit()
                self._keep([item for each in pending for item in _tracked(each)])
            self._stop_storing()
            self._write([(each.stage.file, each.stage.name, each.record) for each in pending])
        except StorageError as error:
            self._give_up_storing()
            raise _not_stored(error) from error
        for each in pending:
            for item in _tracked(each):
                self._worktree.set_base(item.path, each.entries[item.path])
            self._note_changes(each)
            if self._remember is not None and each.seen is not None and self._commit:
                self._remember(each.stage, each.seen, each.record)
        self._worktree.memo.save()
        for each in pending:
            self._aside.drop(each.folder)
        self._aside.forget_finished()
        self._pending = []

    def restored(self, stage: Stage, earlier: LockedStage, seen: Observation) -> None:
        """Its outputs stand there now as *earlier* says: that is what the stage has last made of what is *seen*."""
        record = _record(stage, seen, earlier.outs)
        self._write([(stage.file, stage.name, record)])
        self._observer.forget(earlier.outs)
        self._observer.learn(earlier.outs)
        for path, content in earlier.outs.items():
            self._changed(path, entry_of(path, seen.outs.get(path)), entry_of(path, content))

    def is_kept_otherwise(self, stage: Stage, record: LockedStage) -> bool:
        """Whether its definition says now that outputs are to be kept in another way than *record* has it."""
        return record.outs.keys() == {out.path for out in stage.outs} and storing_of(stage.outs) != record.storing

    def keep_otherwise(self, stage: Stage, record: LockedStage) -> None:
        """Nothing else of it changed: what is cached from now on is stored as it stands. Raises `StorageError`."""
        self.flush()
        storing = storing_of(stage.outs)
        new = [out for out in stage.outs if out.cache and not record.storing.get(out.path, Storing()).cache]
        entries = {out.path: self._take(stage, out, store=self._stores) for out in new}
        if self._writer is not None:
            self._writer.commit()
            self._keep(
                [tracked_output(stage, path, record.outs[path], storing.get(path, Storing())) for path in entries]
            )
        self._stop_storing()
        self._write([(stage.file, stage.name, record._replace(storing=storing))])
        for path, entry in entries.items():
            self._worktree.set_base(path, entry)

    def clear(self, files: Iterable[bytes]) -> None:
        """Take stages out of the locks that the definitions *files* do not have any more. Raises `StorageError`."""
        for file, names in [] if self._claims is None else self._claims.gone(files):
            self.locks.remove(file, names)
            more = f" and {len(names) - 1:,} more are" if names[1:] else " is"
            self._reporter.note(f"{names[0]}{more} no stage in {show(file)} any more: its outputs are not tracked")

    def _write(self, finished: Sequence[Finished]) -> None:
        self.locks.record_all(finished if self._claims is None else self._claims.settle(finished))

    @property
    def written(self) -> frozenset[bytes]:
        """The locks that were written, by path."""
        return frozenset() if self._locks is None else frozenset(self._locks.written)

    @property
    def _stores(self) -> bool:
        return self._commit and not self._is_broken

    def _note(self, stage: Stage, seen: Observation, entries: Mapping[bytes, Entry], folder: bytes) -> LockedStage:
        record = _record(stage, seen, {path: content_of(entry) for path, entry in entries.items()})
        self._aside.finished(folder, os.fsencode(stage.address) + b"\0" + encode_lock({stage.name: record}))
        self._put(_Pending(stage, record, seen, entries, folder))
        return record

    def _put(self, pending: _Pending) -> None:
        if not self._pending:
            self._oldest = self._clock()
        self._pending.append(pending)
        self._observer.forget(pending.record.outs)
        self._observer.learn(pending.record.outs)

    def _take(self, stage: Stage, out: Out, *, store: bool) -> Entry:
        """What stands at an output, brought into the cache if it belongs there, or is small enough not to matter."""
        status = self._worktree.stat(out.path)
        if status is None:
            raise StageFailed(
                f"stage {stage.address} ended well, but did not write its output {show(out.path)}",
                path=out.path,
                hint=f"see what its command writes, or take the output out of {show(out.at.file)}:{out.at.line}",
            )
        is_wanted = out.cache or (stat.S_ISREG(status.st_mode) and is_small(status.st_size))
        entry = self._worktree.current(self._snapshot(store=store and is_wanted), out.path, is_top=True)
        if entry is None or entry.kind == LINK:
            raise UnsafeInput(
                f"stage {stage.address} made its output {show(out.path)} a symbolic link",
                path=out.path,
                hint="let the command write a file or a directory there",
            )
        return entry

    def _snapshot(self, *, store: bool) -> Snapshot:
        now = self._clock()
        made, snapshot = self._looks.get(store, (0.0, None))
        if snapshot is None or now - made > _NEW_LOOK_SECONDS:
            cache = self._worktree.cache
            if store and self._writer is None:
                from dvtool.store.cachewriter import CacheWriter

                writer = CacheWriter(cache, what="dvtool repro", on_wait=self._reporter.note)
                self._writer = self._storing.enter_context(writer)
            sink = HashSink() if self._writer is None or not store else StoreSink(cache, self._writer)
            snapshot = self._worktree.snapshot(sink, self._reporter)
            self._looks[store] = now, snapshot
        return snapshot

    def _stop_storing(self) -> None:
        self._looks.clear()
        self._writer = None
        self._storing.close()

    def _give_up_storing(self) -> None:
        self._is_broken = True
        self._stop_storing()

    def _note_changes(self, each: _Pending) -> None:
        before = {} if each.seen is None else each.seen.outs
        for path, entry in each.entries.items():
            self._changed(path, entry_of(path, before.get(path)), entry)

    def _changed(self, path: bytes, before: Entry | None, after: Entry | None) -> None:
        known = self.changes.get(path)
        first = before if known is None else known.before
        if after is None or not self._is_stored(after) or (first is not None and not self._is_stored(first)):
            self.changes.pop(path, None)
        elif first != after:
            self.changes[path] = Change(path, first, after)

    def _is_stored(self, entry: Entry) -> bool:
        cache = self._worktree.cache
        return cache.has_meta(entry.raw, TREE) if entry.kind == DIRECTORY else cache.has_blob(entry.raw)


def _record(stage: Stage, seen: Observation, outs: Mapping[bytes, Content]) -> LockedStage:
    deps = {name: content for name, content in seen.deps.items() if content is not None}
    return LockedStage(stage.commands, stage.argv, deps, seen.params, outs, storing_of(stage.outs))


def _tracked(pending: _Pending) -> list[Tracked]:
    """Its outputs that are kept in the cache."""
    record = pending.record
    return [
        tracked_output(pending.stage, out.path, record.outs[out.path], record.storing.get(out.path, Storing()))
        for out in pending.stage.outs
        if out.cache
    ]


def _not_stored(error: StorageError) -> StorageError:
    error.hint = (
        "the outputs of what ended well stand in the worktree: make room and run `dvtool repro` again, "
        "which stores them without another run"
    )
    return error

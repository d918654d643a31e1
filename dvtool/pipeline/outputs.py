"""A stage's outputs before and after it runs: nothing that the user made of them is lost."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import storage_error
from dvtool.formats.lock import Content
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import Storing
from dvtool.model.digest import ObjectId
from dvtool.model.paths import LOCK_NAME
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import Out
from dvtool.pipeline.types import Stage
from dvtool.store.treediff import EntryChange
from dvtool.store.treediff import diff_entries
from dvtool.store.trees import GetPage
from dvtool.workspace.aside import Aside
from dvtool.workspace.checkoutplan import CheckoutPlan
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.sinks import StoreSink
from dvtool.workspace.worktree import Worktree

WHY_KEPT = "an output that stage {} replaced"
_AS_ALL = Storing()


class Outputs:
    """Outputs in one locked worktree. *links*: how large files are placed. *now*: Unix seconds, for the record."""

    def __init__(
        self, worktree: Worktree, aside: Aside, links: tuple[str, ...], reporter: Reporter, *, now: float
    ) -> None:
        self._worktree = worktree
        self._aside = aside
        self._links = links
        self._reporter = reporter
        self._now = now

    def prepare(self, stage: Stage, locked: LockedStage | None, seen: Observation) -> bytes:
        """Make room for new outputs: the folder in which the old ones lie, see `Aside.put`.

        What is not as the last run left it goes into the cache before. Raises `StorageError`, `UnsafeInput`.
        """
        recorded = {} if locked is None else locked.outs
        edited = [out.path for out in stage.outs if seen.outs[out.path] not in (None, recorded.get(out.path))]
        if edited:
            self._keep(stage, edited, recorded)
        stays = [out.path for out in stage.outs if out.persist and seen.outs[out.path] is not None]
        for path in stays:
            self._unprotect(path)
        return self._aside.put(stage.address, (out.path for out in stage.outs if not out.persist))

    def fail(self, stage: Stage, folder: bytes) -> bytes | None:
        """Put everything back as it was before the stage ran; where its unfinished outputs lie now."""
        left = self._aside.clear(stage.address, (out.path for out in stage.outs if not out.persist))
        self._aside.give_back(folder)
        return left

    def restore(
        self, stage: Stage, record: LockedStage, seen: Observation, before: LockedStage | None
    ) -> list[CheckoutPlan]:
        """Bring outputs that are not as *record* says from the cache, as a checkout does; what was done.

        What was not as *before*, the stage's last record, says is told of: it is kept.
        Raises `MissingData`, `IntegrityError`, `StorageError`.
        """
        # Each where it is needed: 25 ms that a run with nothing to do does without.
        from dvtool.workspace.applying import Applying

        applying = Applying(self._worktree, self._links, self._reporter, now=self._now)
        done: list[CheckoutPlan] = []
        problems: list[DvtoolError] = []
        for path, content in record.outs.items():
            if seen.outs.get(path) == content:
                continue
            item = tracked_output(stage, path, content)
            plan = applying.plan(path, item.as_entry, path, force=True, relink=False)
            applied = applying.apply(plan, item)
            if not record.storing.get(path, _AS_ALL).cache:
                # Nothing that `checkout` has to look after.
                self._worktree.memo.drop_applied(path)
            done.append(plan)
            problems += [problem.error for problem in applied.placed.problems]
            problems += [
                MissingData(f"{show(each)}: blake3:{oid.hex()} is not in the cache", path=each)
                for each, oid in applied.placed.missing
            ]
        if problems:
            raise problems[0]
        left = {} if before is None else before.outs
        as_left = {path for path, content in left.items() if seen.outs.get(path) == content}
        kept = [path for plan in done for path in plan.overwritten if path not in as_left]
        if kept:
            self._tell_kept(stage, kept)
        return done

    def _keep(self, stage: Stage, paths: Sequence[bytes], recorded: Mapping[bytes, Content]) -> None:
        from dvtool.store.cachewriter import CacheWriter
        from dvtool.workspace.kept import Kept
        from dvtool.workspace.kept import KeptFile

        worktree = self._worktree
        kept: list[KeptFile] = []
        why = WHY_KEPT.format(stage.address)
        with CacheWriter(worktree.cache, what="dvtool repro", on_wait=self._reporter.note) as writer:
            writer.keep_pages()
            snapshot = worktree.snapshot(StoreSink(worktree.cache, writer), self._reporter)

            def get(oid: ObjectId) -> bytes:
                page = writer.pending_page(oid)
                return page if page is not None else worktree.stored_page(oid)

            for path in paths:
                entry = worktree.current(snapshot, path, is_top=True)
                before = entry_of(path, recorded.get(path))
                for change in _changes(get, worktree.stored_page, before, entry, path):
                    new = change.new
                    if new is not None and new.kind == FILE:
                        kept.append(KeptFile(change.path, new.oid, new.size, new.executable, self._now, why))
                    elif new is not None and new.kind == LINK:
                        self._reporter.note(f"{show(change.path)} was a link to {show(new.target)}")
            writer.commit()
        if kept:
            Kept(worktree.state_dir).append(kept)
            self._tell_kept(stage, paths)

    def _tell_kept(self, stage: Stage, paths: Sequence[bytes]) -> None:
        names = ", ".join(show(path) for path in paths[:3]) + (f" and {len(paths) - 3:,} more" if paths[3:] else "")
        self._reporter.note(
            f"{names}: not as stage {stage.address} left it; what stood there is kept, see `dvtool recover`"
        )

    def _unprotect(self, path: bytes) -> None:
        """The command goes on with what stands there: it must not write into the cache through a link."""
        from dvtool.workspace.placing import Directories
        from dvtool.workspace.unprotecting import unprotect_file

        worktree = self._worktree
        sink = HashSink()
        entry = worktree.current(worktree.snapshot(sink, self._reporter), path, is_top=True)
        directories = Directories(worktree.root_fd)
        try:
            for change in diff_entries(worktree.stored_page, None, worktree.current_pages(sink), entry, path):
                if change.new is not None and change.new.kind == FILE:
                    unprotect_file(directories, worktree, change.path, change.new)
        except OSError as error:
            raise storage_error(error, "make a copy of", error.filename or path) from error
        finally:
            directories.close()


def tracked_output(stage: Stage, path: bytes, content: Content, storing: Storing = _AS_ALL) -> Tracked:
    """An output as a tracked path: its lock stands for the pointer."""
    pointer = Pointer(
        split(path)[1],
        content.kind,
        content.digest,
        content.size,
        content.files,
        content.executable,
        remote=storing.remote,
    )
    return Tracked(join(split(stage.file)[0], LOCK_NAME), pointer, path, stage.name, storing.push)


def entry_of(path: bytes, content: Content | None) -> Entry | None:
    """What a record says of *path*, as an entry of a directory."""
    if content is None:
        return None
    name = split(path)[1]
    if content.kind is Kind.DIRECTORY:
        return directory_entry(name, TreeRef(content.digest.oid, content.size, content.files))
    return file_entry(name, content.digest.oid, content.size, content.executable)


def content_of(entry: Entry) -> Content:
    """What is recorded of an entry that is no link."""
    if entry.kind == DIRECTORY:
        return Content(Kind.DIRECTORY, entry.digest, entry.size, entry.files)
    return Content(Kind.FILE, entry.digest, entry.size, 1, entry.executable)


def storing_of(outs: Iterable[Out]) -> dict[bytes, Storing]:
    """How outputs are kept, of those that are not kept as all others."""
    found = {out.path: Storing(out.cache, out.push, out.remote or "") for out in outs}
    return {path: storing for path, storing in found.items() if storing != _AS_ALL}


def _changes(
    get: GetPage, get_old: GetPage, before: Entry | None, entry: Entry | None, path: bytes
) -> Iterable[EntryChange]:
    """What of *entry* was not there before; all of it where that cannot be told."""
    try:
        return list(diff_entries(get_old, before, get, entry, path))
    except (MissingData, IntegrityError):
        return list(diff_entries(get_old, None, get, entry, path))

"""Planning and executing checkouts of one worktree, and keeping the memo true afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field

from dvtool.disk.beneath import open_dir
from dvtool.disk.beneath import open_file
from dvtool.disk.signature import StatSignature
from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import storage_error
from dvtool.formats.pack import TREE
from dvtool.formats.tree import encode_leaf
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.state.memo import MemoPage
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.treeedit import edit_tree
from dvtool.store.treeedit import empty_tree
from dvtool.store.trees import lookup
from dvtool.store.trees import subtree
from dvtool.workspace.attempts import Attempts
from dvtool.workspace.checkout import Checkout
from dvtool.workspace.checkout import NewPage
from dvtool.workspace.checkout import Placed
from dvtool.workspace.checkout import Problem
from dvtool.workspace.checkoutplan import CheckoutPlan
from dvtool.workspace.checkoutplan import States
from dvtool.workspace.checkoutplan import plan_checkout
from dvtool.workspace.filereading import pack_signature
from dvtool.workspace.kept import Kept
from dvtool.workspace.kept import KeptFile
from dvtool.workspace.pages import directory_signature
from dvtool.workspace.pages import fingerprint
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.reversal import Look
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.sinks import StoreSink
from dvtool.workspace.sinks import is_small
from dvtool.workspace.worktree import Worktree


@dataclass(frozen=True, slots=True)
class Applied:
    """A plan and what came of it."""

    plan: CheckoutPlan
    placed: Placed = field(default_factory=Placed)


class Applying:
    """Checkouts in one worktree, one after the other. *now* is Unix seconds, for the record."""

    def __init__(self, worktree: Worktree, links: tuple[str, ...], reporter: Reporter, *, now: float) -> None:
        self._worktree = worktree
        self._links = links
        self._reporter = reporter
        self._now = now
        self._attempts = Attempts(worktree.state_dir)
        self._new_tops: set[bytes] = set()
        """Tracked directories that this checkout makes: what it places is all that stands there."""
        self._sink = HashSink()
        self._snapshot = worktree.snapshot(self._sink, reporter)

    def plan(
        self,
        path: bytes,
        wanted: Entry | None,
        top: bytes,
        *,
        force: bool,
        relink: bool,
        is_kept: Callable[[bytes], bool] | None = None,
    ) -> CheckoutPlan:
        """Decide about *path*, which is the tracked path *top* or lies inside it.

        *is_kept* tells which bytes need not stand here to be had again; by default those in the cache.
        """
        worktree = self._worktree
        self._reporter.begin("looking")
        current = worktree.current(self._snapshot, path, is_top=path == top)
        self._reporter.end()
        if worktree.is_locked:
            self.sweep((path, top))
        base = worktree.base(top)
        if base is None and worktree.stat(top) is None:
            self._new_tops.add(top)
        is_known = base is not None
        if base is not None and path != top:
            below = path[len(top) + 1 :]
            try:
                base = lookup(worktree.stored_page, subtree(base), below) if base.kind == DIRECTORY else None
            except DvtoolError:
                is_known = False
        if not is_known and current is not None and current.kind == DIRECTORY:
            # The very directory is stored as some version: then all of it counts as placed by dvtool.
            base, is_known = current, worktree.cache.has_meta(current.raw, TREE)
        states = States(
            current,
            base,
            is_known,
            wanted,
            worktree.current_pages(self._sink),
            worktree.stored_page,
        )
        return plan_checkout(
            path,
            states,
            force=force,
            has_blob=is_kept or worktree.cache.has_sound_blob,
            is_left_over=self._is_left_over,
            relink=relink,
        )

    def sweep(self, paths: Iterable[bytes]) -> None:
        """Delete what killed commands left in the directories looked at so far and beside *paths*. Needs the lock."""
        self._worktree.sweep([*self._snapshot.leftovers, *self._worktree.leftovers_beside(paths)], self._reporter)
        self._snapshot.leftovers.clear()

    def look(self, tops: Collection[bytes]) -> Look:
        """How the worktree stands, for what is taken back. *tops*: paths with pointers of their own."""
        worktree = self._worktree

        def entry_at(path: bytes) -> Entry | None:
            return worktree.current(self._snapshot, path, is_top=path in tops)

        return Look(entry_at, worktree.current_pages(self._sink), worktree.stored_page, self._is_left_over)

    def vanished(self, tracked: set[bytes]) -> list[bytes]:
        """Paths that dvtool placed here once and that no pointer names now."""
        return [path for path in self._worktree.memo.applied_paths() if path not in tracked]

    def apply(self, plan: CheckoutPlan, item: Tracked | None) -> Applied:
        """Carry a plan out, unless it has conflicts. *item*: the pointer behind it, None when it is gone."""
        top = item.path if item is not None else plan.path
        if plan.conflicts:
            return Applied(plan)
        if plan.is_empty:
            self._record(plan, top, item, Placed())
            if self._attempts.were_interrupted:
                self._end(plan.path)
            return Applied(plan)
        if plan.overwritten:
            self._keep(plan)
        damaged = self._loosen(plan) if self._worktree.cache.settings.loose_all else {}
        began_ns = self._begin(plan)
        total = sum(change.new.files for change in (*plan.create, *plan.replace) if change.new is not None)
        self._reporter.begin("restoring", total=total)
        run = Checkout(
            self._worktree.root_fd,
            self._worktree.cache,
            self._worktree.stored_page,
            links=self._links,
            began_ns=began_ns,
            expect=self._worktree.expect,
            placed=self._placed,
            page_done=self._page_done,
            reporter=self._reporter,
            jobs=self._worktree.jobs,
        )
        placed = run.execute(plan)
        placed.problems += [Problem(path, damaged[oid]) for path, oid in placed.missing if oid in damaged]
        placed.missing = [(path, oid) for path, oid in placed.missing if oid not in damaged]
        self._reporter.end()
        self._record(plan, top, item, placed)
        self._worktree.forget_seen()
        self._end(plan.path)
        return Applied(plan, placed)

    def _begin(self, plan: CheckoutPlan) -> int:
        try:
            return self._attempts.begin(plan.path, plan.wanted)
        except OSError as error:
            raise storage_error(error, "note a checkout in", error.filename or self._worktree.state_dir) from error

    def _end(self, path: bytes) -> None:
        """What was recorded of *path* must be saved before the note of the attempt goes."""
        self._worktree.memo.save()
        try:
            self._attempts.end(path)
        except OSError as error:
            raise storage_error(error, "note a checkout in", error.filename or self._worktree.state_dir) from error

    def _is_left_over(self, path: bytes, current: Entry, wanted: Entry | None) -> bool:
        """True for what a checkout that did not end has placed, whole or torn."""
        if not self._attempts.were_interrupted:
            return False
        placed = list(self._attempts.entries_at(path, self._worktree.stored_page))
        if current in placed and (current.kind != FILE or self._worktree.cache.has_blob(current.raw)):
            return True
        return any(self._is_torn(path, current, entry) for entry in (*placed, wanted) if entry is not None)

    def _is_torn(self, path: bytes, current: Entry, wanted: Entry) -> bool:
        """True for a small file with only the first of its bytes."""
        if current.kind != FILE or wanted.kind != FILE:
            return False
        if current.size >= wanted.size or not is_small(wanted.size):
            return False
        parent, name = split(path)
        try:
            data = self._worktree.cache.read_blob(wanted.oid)
            fd = open_dir(self._worktree.root_fd, parent)
            try:
                file = open_file(fd, name, shown=path)
            finally:
                os.close(fd)
            with open(file, "rb") as stream:
                return data.startswith(stream.read(len(data)))
        except (DvtoolError, OSError):
            return False

    def _keep(self, plan: CheckoutPlan) -> None:
        """Bring the user's own files into the cache before they are replaced, and note them for `recover`."""
        worktree = self._worktree
        kept: list[KeptFile] = []
        with CacheWriter(worktree.cache, what="dvtool checkout", on_wait=self._reporter.note) as writer:
            snapshot = worktree.snapshot(StoreSink(worktree.cache, writer), self._reporter)
            for path in plan.overwritten:
                entry = snapshot.file(path)
                if entry.kind == LINK:
                    self._reporter.note(f"{show(path)} was a link to {show(entry.target)}")
                if entry.kind == FILE:
                    kept.append(KeptFile(path, entry.oid, entry.size, entry.executable, self._now, "replaced by force"))
                else:
                    oid = writer.put_small(entry.target)
                    why = "where a symbolic link led that was replaced by force"
                    kept.append(KeptFile(path, oid, entry.size, executable=False, when=self._now, why=why))
            writer.commit()
        Kept(worktree.state_dir).append(kept)

    def _loosen(self, plan: CheckoutPlan) -> dict[ObjectId, IntegrityError]:
        """Let the small files that are to be linked anew lie loose: nothing can be linked out of a pack.

        Returns those whose bytes are damaged: the cache does not offer them a second time.
        """
        damaged: dict[ObjectId, IntegrityError] = {}
        cache = self._worktree.cache
        small = {
            change.new.oid
            for change in plan.replace
            if change.new is not None and change.new == change.old and change.new.size and not change.new.executable
        }
        packed, _ = cache.in_pack_order(small)
        if not packed:
            return damaged
        with CacheWriter(cache, what="dvtool checkout", on_wait=self._reporter.note) as writer:
            for oid, data in cache.read_packed(packed):
                if isinstance(data, IntegrityError):
                    damaged[oid] = data
                    continue
                with writer.loose_temporary() as temporary:
                    temporary.write(data)
                    temporary.publish(oid)
            writer.commit()
        return damaged

    def _placed(self, path: bytes, entry: Entry, signature: StatSignature) -> None:
        self._snapshot.fresh[path] = (pack_signature(signature), entry)

    def _page_done(self, page: NewPage) -> None:
        signatures: list[bytes] = []
        for entry, signature in zip(page.entries, page.signatures, strict=True):
            signatures.append(directory_signature(entry.raw) if signature is None else pack_signature(signature))
        packed = b"".join(signatures)
        names = [entry.name for entry in page.entries]
        ref = page.ref
        row = MemoPage(ref.last_name, fingerprint(names, packed), ObjectId(ref.raw), ref.size, ref.files)
        self._worktree.memo.put_page(page.directory, row, packed, encode_leaf(page.entries))

    def _record(self, plan: CheckoutPlan, top: bytes, item: Tracked | None, placed: Placed) -> None:
        memo = self._worktree.memo
        for path, (signature, entry) in self._snapshot.fresh.items():
            if path == top and entry.kind == FILE:
                memo.put_file(path, signature, entry.oid)
        if self._snapshot.fresh:
            self._refresh(plan, top)
        if item is None:
            if placed.is_complete:
                memo.drop_applied(plan.path)
                memo.drop_below(plan.path)
                memo.drop_file(plan.path)
            return
        base = self._new_base(plan, top, item, placed)
        if base is not None:
            self._worktree.set_base(top, base)

    def _refresh(self, plan: CheckoutPlan, top: bytes) -> None:
        """Look at the directories where single files were placed, so that the next command need not read them."""
        if plan.wanted is not None and plan.wanted.kind == DIRECTORY:
            self._snapshot.directory(plan.path)
        elif plan.path != top:
            self._snapshot.directory(split(plan.path)[0])
        self._snapshot.fresh.clear()

    def _new_base(self, plan: CheckoutPlan, top: bytes, item: Tracked, placed: Placed) -> Entry | None:
        """What stands at *top* by dvtool's doing now: the wanted state, less what could not be placed."""
        left = {path for path, _ in placed.missing} | {problem.path for problem in placed.problems}
        full = item.as_entry
        if full.kind != DIRECTORY:
            return None if left else full
        if top in left:
            return None
        before = {change.path: change.old for change in (*plan.create, *plan.replace)}
        # A file of a directory that was made as a whole has no change of its own: nothing stood there.
        undone = {path[len(top) + 1 :]: before.get(path) for path in left}
        old = self._worktree.base(top)
        if plan.path != top:
            if (old is None or old.kind != DIRECTORY) and top not in self._new_tops:
                return None
        elif not undone:
            return full
        try:
            with CacheWriter(self._worktree.cache, what="dvtool checkout", on_wait=self._reporter.note) as writer:
                writer.keep_pages()

                def get(oid: ObjectId) -> bytes:
                    page = writer.pending_page(oid)
                    return page if page is not None else self._worktree.stored_page(oid)

                tree = subtree(full)
                if plan.path != top:
                    tree = subtree(old) if old is not None else empty_tree(writer.put_tree)
                    tree = edit_tree(get, writer.put_tree, tree, {plan.path[len(top) + 1 :]: plan.wanted})
                tree = edit_tree(get, writer.put_tree, tree, undone)
                writer.commit()
        except DvtoolError:
            return None
        return full._replace(raw=tree.oid, size=tree.size, files=tree.files)

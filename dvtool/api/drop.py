"""Freeing local bytes that remotes prove to have."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.api.checkout import note_plans
from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import UsageError
from dvtool.formats.oplog import Row
from dvtool.formats.pack import BYTES
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.project.copies import prove
from dvtool.project.copies import proving_remotes
from dvtool.project.holders import Holder
from dvtool.project.holders import Rest
from dvtool.project.holders import holders
from dvtool.project.holders import rest_of
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.oplog import require_own
from dvtool.project.parts import link_types
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_tracked
from dvtool.project.parts import open_worktree
from dvtool.project.parts import relative_paths
from dvtool.project.remotes import Remotes
from dvtool.project.routes import Routes
from dvtool.project.transfers import push_context
from dvtool.project.transfers import wanted_now
from dvtool.project.workspaces import all_workspaces_locked
from dvtool.store.cache import Cache
from dvtool.store.freeing import Freed
from dvtool.store.freeing import free_blobs
from dvtool.store.unnamed import Marks
from dvtool.transfer.push import push
from dvtool.transfer.session import Session
from dvtool.transfer.types import Wanted
from dvtool.transfer.usage import CacheSizes
from dvtool.transfer.walk import Need
from dvtool.transfer.walk import Walk
from dvtool.workspace.applying import Applied
from dvtool.workspace.applying import Applying
from dvtool.workspace.checkoutplan import CheckoutPlan
from dvtool.workspace.dropped import Dropped
from dvtool.workspace.dropped import DroppedPath
from dvtool.workspace.selection import Selected
from dvtool.workspace.selection import select
from dvtool.workspace.selection import wanted_entry
from dvtool.workspace.worktree import Worktree

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class DropRequest:
    """``targets``: tracked paths, parts of them, or directories above them; at least one.

    ``remotes``: names of those that are asked; none means the one that each path belongs to, or all
    where more than one copy is wanted. ``copies``: so many remotes must each hold all of it. ``now``: Unix seconds.
    """

    targets: tuple[bytes, ...]
    remotes: tuple[str, ...] = ()
    copies: int = 1
    jobs: int = 0
    dry_run: bool = False
    now: float = 0.0


class Stays(NamedTuple):
    """Files whose bytes stay in the cache, and who needs them."""

    who: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class DropResult:
    """``files_removed`` and ``worktree_bytes``: what went from the worktree (after a dry run: would go).

    ``objects_freed``, ``cache_bytes``: what went from the cache; after a dry run an upper bound.
    ``left``: objects that stay in packs most of which is needed. ``kept``: untracked
    files in the dropped directories. ``remotes``: those that hold everything.
    """

    paths: tuple[bytes, ...]
    remotes: tuple[str, ...]
    files_removed: int
    worktree_bytes: int
    objects_freed: int
    cache_bytes: int
    left: int
    stays: tuple[Stays, ...]
    kept: tuple[bytes, ...]
    dry_run: bool = False


def drop(project: Project, request: DropRequest, reporter: Reporter = SILENT) -> DropResult:
    """Take files out of the worktree and their bytes out of the cache; the pointers and listings stay.

    In this order: nothing of it was changed by the user; enough remotes prove to hold every object
    now, and promise to keep it as after a push; only then something goes. Raises `MissingData` when
    the proof fails, `DvtoolError` for the user's own changes, `StorageError`, `UsageError`, `Locked`.
    """
    require_own(project.layout, "drop")
    with ExitStack() as stack:
        remotes = stack.enter_context(Remotes(project))
        remotes.prepare(request.remotes)
        selected = select(open_tracked(project), relative_paths(project, request.targets))
        _refuse_unpushed(selected)
        groups = _grouped(project, request, remotes, selected)
        cache = open_cache(project)
        with open_worktree(project, cache) as worktree:
            if not request.dry_run:
                worktree.lock("dvtool drop")
                # What a command elsewhere has stored and not yet named must not go under its hands.
                stack.enter_context(all_workspaces_locked(project, "dvtool drop", but_this=True))
            return _Drop(project, request, reporter, worktree, cache, groups).run()


def _refuse_unpushed(selected: Sequence[Selected]) -> None:
    for one in selected:
        if one.item.is_imported:
            raise UsageError(
                f"{show(one.path)} is imported, and no remote of this project proves to have it; nothing was dropped",
                path=one.path,
                hint=f"delete it yourself: `dvtool pull {show(one.path)}` brings it again from where it came",
            )
        if not one.item.pushed:
            raise MissingData(
                f"{show(one.path)}: by `push: false` of {one.item.source} no remote has it, so nothing was dropped",
                path=one.path,
                hint="name the others alone, or delete it yourself: `dvtool repro` can make it again",
            )


class _Group(NamedTuple):
    """What is dropped, and the remotes that are asked for it."""

    selected: list[Selected]
    wanted: list[Wanted]
    remotes: list[Remote]


def _grouped(project: Project, request: DropRequest, remotes: Remotes, selected: Sequence[Selected]) -> list[_Group]:
    routes = Routes(project.config)
    by_owner: dict[str, list[Selected]] = {}
    for one in selected:
        by_owner.setdefault("" if request.remotes else routes.owner(one.item), []).append(one)
    groups = []
    for owner, some in by_owner.items():
        names = proving_remotes(project, request.remotes, request.copies, [owner])
        groups.append(_Group(some, wanted_now(routes, some, unpushed=True), [remotes.get(name) for name in names]))
    return groups


class _Drop:
    def __init__(
        self,
        project: Project,
        request: DropRequest,
        reporter: Reporter,
        worktree: Worktree,
        cache: Cache,
        groups: Sequence[_Group],
    ) -> None:
        self._project = project
        self._request = request
        self._reporter = reporter
        self._worktree = worktree
        self._cache = cache
        self._groups = groups
        self._selected = [one for group in groups for one in group.selected]
        self._wanted = [one for group in groups for one in group.wanted]

    def run(self) -> DropResult:
        rest, needed = self._read_listings()
        applying = Applying(self._worktree, link_types(self._project), self._reporter, now=self._request.now)
        plans = [self._plan(applying, one, needed) for one in self._selected]
        _refuse_changes(plans)
        proved = [self._prove(group) for group in self._groups]
        names = tuple(dict.fromkeys(name for each in proved for name in each))
        if self._request.dry_run:
            held = holders(self._project, self._cache, self._selected, rest)
            return self._result(names, plans, held, None, [])
        for group, holding in zip(self._groups, proved, strict=True):
            for remote in group.remotes:
                if remote.name in holding[: self._request.copies]:
                    self._promise(remote, group.wanted)
        # From here on everything is on the remotes: a kill leaves what the next `drop` or `pull` goes on from.
        with begin(self._project, "drop") as operation:
            note_plans(
                self._worktree,
                operation,
                [(plan, one.item if one.below else None) for plan, one in zip(plans, self._selected, strict=True)],
            )
            rows = [Row(one.path, self._entry(one), None) for one in self._selected]
            operation.record(summary=_shown(self._selected), dropped=rows)
            self._note(proved)
            done = [applying.apply(plan, one.item if one.below else None) for plan, one in zip(plans, self._selected)]
            _refuse_problems(done)
            held, freed = self._free_cache(rest)
        return self._result(names, plans, held, freed, done)

    def _entry(self, one: Selected) -> Entry | None:
        return wanted_entry(one.item, one.below, self._worktree.stored_page)

    def _read_listings(self) -> tuple[Rest, Marks]:
        """Bring every listing into the cache, where it stays; and what is needed below the dropped paths."""
        needed = Marks()
        remotes = list({remote.name: remote for group in self._groups for remote in group.remotes}.values())
        with Session(self._cache, remotes, jobs=self._request.jobs, reporter=self._reporter, what="drop") as got:
            walk = Walk(got.load_pages)
            for need in walk.needs(self._wanted):
                needed.add(need.oid)
            if walk.failed:
                raise _unreadable(walk)
            rest = rest_of(self._cache, self._selected, lambda oid: _page(got, oid))
            got.keep()
        return rest, needed

    def _needs(self, wanted: Sequence[Wanted] | None = None) -> Iterator[Need]:
        with Session(self._cache, (), what="drop") as session:
            walk = Walk(session.load_pages)
            yield from walk.needs(self._wanted if wanted is None else wanted)
            if walk.failed:
                raise _unreadable(walk)

    def _plan(self, applying: Applying, one: Selected, needed: Marks) -> CheckoutPlan:
        return applying.plan(
            one.path,
            None,
            one.item.path,
            force=False,
            relink=False,
            is_kept=lambda oid: oid in needed or self._cache.has_blob(oid),
        )

    def _prove(self, group: _Group) -> tuple[str, ...]:
        """The remotes that hold all of it, enough of them."""
        return prove(
            self._cache,
            group.remotes,
            self._needs(group.wanted),
            copies=self._request.copies,
            jobs=self._request.jobs,
            reporter=self._reporter,
        )

    def _promise(self, remote: Remote, wanted: Sequence[Wanted]) -> None:
        """A push of what is there already: it writes the root record that keeps it, and looks once more."""
        settings = self._project.config.remote(remote.name)
        context = push_context(self._project, settings, (), jobs=self._request.jobs, now=self._request.now)
        push(self._cache, remote, wanted, context, self._reporter)

    def _note(self, proved: Sequence[tuple[str, ...]]) -> None:
        notes = Dropped(self._worktree.state_dir)
        rows = notes.read()
        for group, names in zip(self._groups, proved, strict=True):
            for one in group.selected:
                entry = self._entry(one)
                files = entry.files if entry is not None else 0
                rows.append(DroppedPath(one.path, one.item.pointer.digest.oid, files, names, self._request.now))
        notes.replace(rows)

    def _unheld(self, held: Sequence[Holder]) -> Iterator[ObjectId]:
        for need in self._needs():
            if need.kind == BYTES and not any(need.oid in holder.marks for holder in held):
                yield need.oid

    def _free_cache(self, rest: Rest) -> tuple[list[Holder], Freed]:
        with self._cache.lock.acquire(shared=False, what="dvtool drop") as lock:
            # Who came to need something while we asked is seen now: writers hold the lock, too.
            held = holders(self._project, self._cache, self._selected, rest)
            if lock.degraded:
                self._reporter.note("the cache lies on a file system without locks: its bytes stay")
                return held, Freed(0, 0, 0)
            return held, free_blobs(self._cache, lambda: self._unheld(held), lock)

    def _result(
        self,
        names: tuple[str, ...],
        plans: Sequence[CheckoutPlan],
        held: Sequence[Holder],
        freed: Freed | None,
        done: Sequence[Applied],
    ) -> DropResult:
        removed = [
            change.old.size
            for plan in plans
            for change in plan.remove
            if change.old is not None and change.old.kind == FILE
        ]
        sizes = CacheSizes(self._cache)
        stays: dict[str, tuple[int, int]] = {}
        objects = amount = 0
        for need in self._needs():
            who = next((holder.who for holder in held if need.oid in holder.marks), None)
            if need.kind == BYTES and who is not None:
                files, size = stays.get(who, (0, 0))
                stays[who] = (files + 1, size + need.size)
            elif need.kind == BYTES and freed is None and (parts := sizes.parts(need)) is not None:
                objects += 1
                amount += sum(part.stored for part in parts)
        return DropResult(
            tuple(one.path for one in self._selected),
            names,
            sum(one.placed.removed for one in done) if freed is not None else len(removed),
            sum(removed),
            objects if freed is None else freed.objects,
            amount if freed is None else freed.bytes,
            0 if freed is None else freed.left,
            tuple(Stays(who, *counts) for who, counts in stays.items()),
            tuple(path for plan in plans for path in plan.kept),
            self._request.dry_run,
        )


def _shown(selected: Sequence[Selected]) -> str:
    more = " ..." if len(selected) > _SHOWN else ""
    return " ".join(show(one.path) for one in selected[:_SHOWN]) + more


def _refuse_changes(plans: Sequence[CheckoutPlan]) -> None:
    conflicts = [conflict for plan in plans for conflict in plan.conflicts]
    if conflicts:
        more = f" and {len(conflicts) - _SHOWN} more" if len(conflicts) > _SHOWN else ""
        raise DvtoolError(
            "these hold changes of your own that no pointer names, so nothing was dropped: "
            + ", ".join(f"{show(path)} ({why})" for path, why in conflicts[:_SHOWN])
            + more,
            path=conflicts[0].path,
            hint="record them with `dvtool add` and `dvtool push`, or take them back with `dvtool checkout --force`",
        )


def _refuse_problems(done: Sequence[Applied]) -> None:
    problems = [problem for one in done for problem in one.placed.problems]
    if problems:
        causes = tuple(problem.error for problem in problems)
        raise DvtoolError(
            "not all files could be taken out of the worktree; the cache was left as it is",
            hint=causes[0].hint or "run the same command again",
            causes=causes,
        )


def _page(session: Session, oid: ObjectId) -> bytes:
    page = session.load_pages([oid])[oid]
    if isinstance(page, DvtoolError):
        raise page
    return page


def _unreadable(walk: Walk) -> DvtoolError:
    failed = walk.failed[0]
    failed.error.message = f"{show(failed.path)}: nothing was dropped: {failed.error.message}"
    return failed.error

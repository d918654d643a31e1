"""Bringing the worktree to what the pointers say."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import UsageError
from dvtool.formats.oplog import Row
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.project.adoptkeep import Keeper
from dvtool.project.adoptkeep import keeper_of
from dvtool.project.cacheroots import keep_in_shared_cache
from dvtool.project.open import Project
from dvtool.project.oplog import Recorder
from dvtool.project.oplog import begin
from dvtool.project.parts import learned
from dvtool.project.parts import link_types
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_tracked
from dvtool.project.parts import open_worktree
from dvtool.project.targets import select_targets
from dvtool.store.cache import Cache
from dvtool.store.salvage import damage_errors
from dvtool.store.trees import GetPage
from dvtool.workspace.applying import Applied
from dvtool.workspace.applying import Applying
from dvtool.workspace.checkoutplan import CheckoutPlan
from dvtool.workspace.dropped import Dropped
from dvtool.workspace.dropped import DroppedPath
from dvtool.workspace.dropped import note_about
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.reversal import noted
from dvtool.workspace.selection import Selected
from dvtool.workspace.selection import wanted_entry
from dvtool.workspace.worktree import Worktree


@dataclass(frozen=True, slots=True)
class CheckoutRequest:
    """``targets`` as in `StatusRequest`. ``force`` also replaces the user's own files, whose bytes
    are kept in the cache. ``relink``: place every large file anew with the link type now set.
    ``allow_missing``: what the cache does not hold is no failure. ``now``: Unix seconds, for the
    record of what was replaced. ``only``: of all tracked paths these, besides those whose pointers are gone.
    """

    targets: tuple[bytes, ...] = ()
    force: bool = False
    relink: bool = False
    allow_missing: bool = False
    dry_run: bool = False
    now: float = 0.0
    only: frozenset[bytes] | None = None


class Left(NamedTuple):
    """A path that is not what its pointer says, and why. ``is_pushed``: whether a remote may have it.

    ``is_output``: whether a stage makes it."""

    path: bytes
    why: str
    is_pushed: bool = True
    is_output: bool = False


@dataclass(frozen=True, slots=True)
class CheckoutResult:
    """``plans``: what was decided, path by path. ``replaced_kept``: paths of the user's own files
    that ``force`` replaced; `recover` lists them. ``kept``: untracked files that were left.
    """

    plans: tuple[CheckoutPlan, ...]
    created: int = 0
    replaced: int = 0
    removed: int = 0
    bytes_written: int = 0
    kept: tuple[bytes, ...] = ()
    replaced_kept: tuple[bytes, ...] = ()
    missing: tuple[Left, ...] = ()
    conflicts: tuple[Left, ...] = ()
    problems: tuple[Left, ...] = ()
    link_types: tuple[str, ...] = ()
    errors: tuple[DvtoolError, ...] = field(default=(), repr=False)

    @property
    def is_changed(self) -> bool:
        return bool(self.created or self.replaced or self.removed)

    def followed_by(self, later: CheckoutResult) -> CheckoutResult:
        """Both as one: what was done adds up, what is left is what the later one left."""
        return replace(
            later,
            plans=self.plans + later.plans,
            created=self.created + later.created,
            replaced=self.replaced + later.replaced,
            removed=self.removed + later.removed,
            bytes_written=self.bytes_written + later.bytes_written,
            replaced_kept=self.replaced_kept + later.replaced_kept,
            link_types=tuple(sorted({*self.link_types, *later.link_types})),
        )


def checkout(
    project: Project, request: CheckoutRequest, reporter: Reporter = SILENT, *, cache: Cache | None = None
) -> CheckoutResult:
    """Restore files from the cache. What is missing never blocks what is there.

    *cache*: the project's, where the caller has it open. The result lists what could not be done;
    `raise_for` turns it into the error to end with.
    Raises `UsageError`, `FormatError`, `UnsafeInput`, `StorageError`, `Locked`.
    """
    cache = cache or open_cache(project)
    tracked = learned(project, open_tracked(project), reporter, cache)
    selected = _selected(project, tracked, request)
    errors: list[DvtoolError] = []
    if not request.dry_run and any(one.item.stated is not None for one in selected):
        from dvtool.project.adoptbring import bring_here

        tracked, errors = bring_here(project, tracked, selected, cache, reporter, anew=request.relink)
        selected = _selected(project, tracked, request)
        cache.forget()
    keeper = keeper_of(project, cache, reporter)
    done: list[Applied] = []
    unreadable: list[Left] = []
    with open_worktree(project, cache) as worktree, begin(project, "checkout") as operation:
        if not request.dry_run:
            worktree.lock("dvtool checkout")
            try:
                keep_in_shared_cache(project, cache, [one.item for one in selected])
            except StorageError as error:
                # A cache may be mounted read-only: that must not keep anybody from reading it.
                reporter.note(f"this workspace could not be named in the shared cache: {error.message}")
        applying = Applying(worktree, link_types(project), reporter, now=request.now)
        _refuse_git_tracked(project, selected)
        if not request.targets:
            # Before the rest: what stood for a directory may stand now for directories in it, or the other way round.
            gone = [(plan, None) for plan in _vanished(project, worktree, applying, tracked, request, keeper)]
            done += _carried_out(worktree, applying, operation, gone, request, keeper)
        plans: list[tuple[CheckoutPlan, Tracked | None]] = []
        for one in selected:
            try:
                wanted = _wanted(one, worktree.stored_page)
                force, relink = request.force, request.relink
                plan = applying.plan(one.path, wanted, one.item.path, force=force, relink=relink, is_kept=keeper)
            except (MissingData, IntegrityError) as error:
                unreadable.append(Left(one.path, "its listing is not in the cache", one.item.can_come))
                errors.append(error)
                continue
            plans.append((plan, one.item))
        done += _carried_out(worktree, applying, operation, plans, request, keeper)
    if unreadable or any(one.placed.missing for one in done):
        errors += damage_errors(cache)
        dropped = Dropped(worktree.state_dir).read()
    return _result(done, unreadable, errors, lambda path: _absent(tracked, dropped, path), tracked)


def _selected(project: Project, tracked: TrackedPaths, request: CheckoutRequest) -> list[Selected]:
    selected = select_targets(project, tracked, request.targets, "checkout")
    return [one for one in selected if request.only is None or one.item.path in request.only]


def _absent(tracked: TrackedPaths, dropped: Sequence[DroppedPath], path: bytes) -> Left:
    owner = tracked.owner(path)
    note = note_about(dropped, path, owner.pointer.digest.raw) if owner is not None else None
    why = "its bytes are not in the cache" if note is None else note.words
    return Left(path, why, owner is None or owner.can_come)


def _wanted(one: Selected, get: GetPage) -> Entry:
    entry = wanted_entry(one.item, one.below, get)
    if entry is None:
        raise UsageError(
            f"{show(one.path)} is not in {one.item.source}",
            path=one.path,
            hint=f"dvtool list {show(one.item.path)}",
        )
    return entry


def _is_file(entry: Entry | None) -> bool:
    return entry is not None and entry.kind == FILE


def _in_git(project: Project, paths: list[bytes]) -> set[bytes]:
    """Those of *paths* that Git tracks: they were handed over to it."""
    if project.git is None or not paths:
        return set()
    from dvtool.git.worktree import tracked as tracked_by_git

    layout = project.layout
    return {layout.from_git(path) for path in tracked_by_git(project.git, [layout.to_git(path) for path in paths])}


def _vanished(
    project: Project,
    worktree: Worktree,
    applying: Applying,
    tracked: TrackedPaths,
    request: CheckoutRequest,
    keeper: Keeper | None,
) -> Iterable[CheckoutPlan]:
    """Paths that were tracked here but whose pointer another revision does not have."""
    gone = applying.vanished({item.path for item in tracked})
    kept = {path for path in gone if tracked.owner(path) is not None or tracked.is_uncached(path)}
    kept |= _in_git(project, [path for path in gone if path not in kept and _is_file(worktree.base(path))])
    for path in gone:
        if path in kept:
            if not request.dry_run:
                worktree.memo.drop_applied(path)
            continue
        yield applying.plan(path, None, path, force=request.force, relink=False, is_kept=keeper)


def _carried_out(
    worktree: Worktree,
    applying: Applying,
    operation: Recorder,
    plans: Sequence[tuple[CheckoutPlan, Tracked | None]],
    request: CheckoutRequest,
    keeper: Keeper | None,
) -> list[Applied]:
    if request.dry_run:
        return [Applied(plan) for plan, _ in plans]
    if keeper is not None:
        keeper.bring()
    note_plans(worktree, operation, plans)
    return [applying.apply(plan, item) for plan, item in plans]


def note_plans(worktree: Worktree, operation: Recorder, plans: Sequence[tuple[CheckoutPlan, Tracked | None]]) -> None:
    """Let the operation log know what the plans are about to change. Raises `StorageError`."""
    places = []
    for plan, item in plans:
        place = noted(plan, worktree.stored_page)
        if place is not None:
            top = plan.path if item is None else item.path
            operation.prepare(bases=[Row(top, worktree.base(top), None if item is None else item.as_entry)])
            places.append(place)
    operation.record(places=places)


def _refuse_git_tracked(project: Project, selected: list[Selected]) -> None:
    if project.git is None or not selected:
        return
    from dvtool.errors import UnsafeInput
    from dvtool.git.worktree import tracked as tracked_by_git

    layout = project.layout
    paths = {layout.to_git(one.item.path): one.item for one in selected}
    for taken in sorted(tracked_by_git(project.git, list(paths))):
        item = paths[taken]
        other = f"dvtool remove {show(item.pointer_path)}"
        if item.stage:
            other = "give it `cache: false` in dvtool.yaml and run the stage again"
        raise UnsafeInput(
            f"{item.source} stands for {show(item.path)}, which Git tracks as well",
            path=item.pointer_path,
            hint=f"decide for one: git rm -r --cached {show(item.path)}, or {other}",
        )


def _result(
    done: list[Applied],
    unreadable: list[Left],
    errors: list[DvtoolError],
    absent: Callable[[bytes], Left],
    tracked: TrackedPaths,
) -> CheckoutResult:
    problems = [problem for one in done for problem in one.placed.problems]
    missing = [absent(path) for one in done for path, _ in one.placed.missing]
    conflicts = [
        Left(path, why, is_output=(owner := tracked.owner(path)) is not None and bool(owner.stage))
        for one in done
        for path, why in one.plan.conflicts
    ]
    return CheckoutResult(
        tuple(one.plan for one in done),
        sum(one.placed.created for one in done),
        sum(one.placed.replaced for one in done),
        sum(one.placed.removed for one in done),
        sum(one.placed.bytes_written for one in done),
        tuple(path for one in done for path in one.plan.kept),
        tuple(path for one in done for path in one.plan.overwritten),
        tuple(unreadable + missing),
        tuple(conflicts),
        tuple(Left(problem.path, _short(problem.error)) for problem in problems),
        tuple(sorted({link for one in done for link in one.placed.link_types})),
        tuple(errors) + tuple(problem.error for problem in problems),
    )


def raise_for(result: CheckoutResult, request: CheckoutRequest) -> None:
    """Raise the error that a checkout ends with, if it left anything undone."""
    causes = _damage(result.errors)
    causes += [error for error in result.errors if not isinstance(error, MissingData | IntegrityError)]
    if result.conflicts:
        verb = "commit" if any(left.is_output for left in result.conflicts) else "add"
        causes.append(
            DvtoolError(
                _paths(
                    len(result.conflicts),
                    "holds changes of your own and was left alone: ",
                    "hold changes of your own and were left alone: ",
                )
                + ", ".join(f"{show(left.path)} ({left.why})" for left in result.conflicts[:3]),
                path=result.conflicts[0].path,
                hint=f"keep them with `dvtool {verb} PATH`, or replace them with `dvtool checkout --force PATH` "
                "(their bytes stay in the cache: `dvtool recover`)",
            )
        )
    if result.missing and not request.allow_missing:
        causes.append(
            MissingData(
                f"{_paths(len(result.missing), 'is', 'are')} not in the cache: "
                + ", ".join(show(left.path) for left in result.missing[:3]),
                path=result.missing[0].path,
                hint="`dvtool pull` fetches what is missing"
                if any(left.is_pushed for left in result.missing)
                else "by `push: false` no remote has it: `dvtool repro` makes it",
            )
        )
    if len(causes) == 1:
        raise causes[0]
    if causes:
        raise DvtoolError("the worktree is not what the pointers say", hint=causes[0].hint, causes=tuple(causes))


def _paths(count: int, one: str, many: str) -> str:
    return f"1 path {one}" if count == 1 else f"{count:,} paths {many}"


def _short(error: DvtoolError) -> str:
    return "damaged in the cache" if isinstance(error, IntegrityError) else error.message


def _damage(errors: Iterable[DvtoolError]) -> list[DvtoolError]:
    """One error for each damaged file of the cache, however many paths it held."""
    by_file: dict[str | None, list[IntegrityError]] = {}
    for error in errors:
        if isinstance(error, IntegrityError):
            by_file.setdefault(error.path, []).append(error)
    return [
        IntegrityError(
            found[0].message if len(found) == 1 else f"{path} is damaged: {len(found):,} paths needed it",
            path=path,
            hint="`dvtool pull` sets it aside and fetches again what it held",
        )
        for path, found in by_file.items()
    ]

"""Freeing the cache of what nothing needs any more."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import closing
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import NamedTuple

from dvtool.api.gcobjects import GcObjects
from dvtool.api.gcobjects import gc_objects
from dvtool.disk.lock import LockHandle
from dvtool.disk.space import free_bytes
from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.durations import parse_duration
from dvtool.formats.pack import RECIPE
from dvtool.formats.records import Root
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.cacheroots import roots_of_others
from dvtool.project.cacheroots import trim_own_roots
from dvtool.project.keeping import KeepRules
from dvtool.project.keeping import roots_to_keep
from dvtool.project.lastnames import last_names
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.pages import fetch_below
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_remote_of
from dvtool.project.workspaces import all_workspaces_locked
from dvtool.store.cache import Cache
from dvtool.store.collect import CollectionPlan
from dvtool.store.collect import dead_objects
from dvtool.store.collect import execute_collection
from dvtool.store.collect import fitting
from dvtool.store.collect import plan_collection
from dvtool.store.collect import survey
from dvtool.store.collect import with_sizes
from dvtool.store.live import Absent
from dvtool.store.live import mark_live
from dvtool.store.runfiles import drop_useless
from dvtool.store.trash import TrashedRun
from dvtool.store.trash import expire
from dvtool.store.trash import expired
from dvtool.store.trash import new_run
from dvtool.store.trash import no_locks
from dvtool.store.unnamed import Marks

DEFAULT_GRACE = "1d"
DEFAULT_TRASH = "14d"
_ROUNDS = 16
_LONGEST_WAIT = 600.0
"""Seconds. Locks are not fair: where others use the cache day and night, its turn may never come."""


@dataclass(frozen=True, slots=True)
class GcRequest:
    """``rules``: what is kept; None is refused. ``grace``: seconds that an object stays, None as `gc.grace` says.

    ``trash``: False deletes at once, and empties the trash. ``min_copies``: an object goes only if
    so many of ``remotes`` (none named: as for `drop`) prove to hold it. ``allow_missing``: a listing
    that is nowhere keeps nothing, instead of stopping all. ``now``: Unix seconds.
    """

    rules: KeepRules | None = None
    grace: float | None = None
    trash: bool = True
    min_copies: int = 0
    remotes: tuple[str, ...] = ()
    jobs: int = 0
    allow_missing: bool = False
    dry_run: bool = False
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class GcResult:
    """What goes, or went where ``done``. ``expired``: older runs of the trash that are deleted with it.

    ``run_id``: names the trash run that `undo` takes back; empty for none. ``unproved``: objects that
    stay because too few remotes have them. ``damaged``: packs that were left alone, for their
    tables cannot be read. ``grace`` and ``trash_kept``: seconds; ``trash_kept`` None: nothing goes to the trash.
    """

    plan: CollectionPlan
    objects: GcObjects = field(compare=False)
    expired: tuple[TrashedRun, ...]
    grace: float
    trash_kept: float | None
    unproved: int = 0
    damaged: int = 0
    done: bool = False
    run_id: str = ""

    @property
    def bytes_freed(self) -> int:
        return self.plan.bytes_freed


def gc(
    project: Project,
    request: GcRequest,
    reporter: Reporter = SILENT,
    confirm: Callable[[GcResult], bool] | None = None,
) -> GcResult:
    """Take out of the cache what the rules and other workspaces do not keep.

    *confirm* sees the plan while nothing is locked; False leaves everything as it is. Whatever
    cannot be read or proved stops it before anything is deleted: the error says what. Raises
    `UsageError` without rules, `MissingData` where a listing that is needed is nowhere, `Locked`,
    `FormatError`, `IntegrityError`, `UnsafeInput`, `StorageError`.
    """
    if request.rules is None:
        raise UsageError(
            "say what to keep: nothing else stays in the cache",
            hint="`dvtool gc --workspace` keeps what this worktree needs, `dvtool gc --all-commits` the whole history",
        )
    cache = open_cache(project)
    _refuse_foreign(project, cache)
    shown: GcResult | None = None
    if confirm is not None and not request.dry_run:
        with _collecting(project, cache, request, reporter) as (_, collection):
            shown = collection.result
        if not confirm(shown):
            return shown
    with _collecting(project, cache, request, reporter) as (lock, collection):
        if request.dry_run:
            return collection.result
        if shown is not None and collection.result != shown:
            raise DvtoolError("the cache or the pointers changed since the plan was shown", hint="run it again")
        return collection.execute(project, request, lock, reporter)


@dataclass(frozen=True, slots=True)
class _Collection:
    """A plan and what it was made of; true as long as the locks are held."""

    cache: Cache
    kept: tuple[Root, ...]
    live: Marks
    result: GcResult

    def execute(self, project: Project, request: GcRequest, lock: LockHandle, reporter: Reporter) -> GcResult:
        cache, result = self.cache, self.result
        try:
            expire(cache, request.now, result.trash_kept or 0.0, lock)
            with begin(project, "gc", required=False) as operation:
                trash = None
                if not result.plan.is_empty and result.trash_kept is not None:
                    trash = new_run(
                        cache,
                        now=request.now,
                        why="gc",
                        objects=result.plan.objects,
                        size=result.plan.bytes_freed,
                    )
                    operation.record(trash=[trash[0].id])
                elif not result.plan.is_empty:
                    operation.record(lasting="what it took was deleted at once, past the trash")
                execute_collection(cache, result.plan, self.live.__contains__, lock, trash, reporter)
            # Last of all: on a full disk there is room for it only now.
            trim_own_roots(project, cache, self.kept)
            drop_useless(cache)
        except OSError as error:
            failed = storage_error(error, "delete in the cache", error.filename or cache.root)
            if error.errno in (errno.ENOSPC, errno.EDQUOT) and result.trash_kept is not None:
                failed.hint = "the trash frees nothing at once, and there is no room for its notes: use --no-trash"
            raise failed from error
        return replace(result, done=True, run_id=trash[0].id if trash is not None else "")


@contextmanager
def _collecting(
    project: Project, cache: Cache, request: GcRequest, reporter: Reporter
) -> Iterator[tuple[LockHandle, _Collection]]:
    """The plan, with every workspace and the cache locked. Listings that are missing are fetched in between."""
    waiting = cache.waiting
    longest = _LONGEST_WAIT if waiting.timeout is None else waiting.timeout
    nowhere: set[ObjectId] = set()
    for _ in range(_ROUNDS):
        with ExitStack() as stack:
            stack.enter_context(all_workspaces_locked(project, "dvtool gc"))
            try:
                cache.create()
                lock = stack.enter_context(
                    cache.lock.acquire(shared=False, timeout=longest, on_wait=waiting.on_wait, what="dvtool gc")
                )
            except OSError as error:
                raise storage_error(error, "lock the cache with", error.filename or cache.root) from error
            if lock.degraded:
                raise no_locks(cache)
            cache.forget()
            roots = _roots(project, cache, request.rules or KeepRules())
            live = Marks()
            found = mark_live(cache, roots.in_turn, live, reporter)
            nowhere |= {each.page for each in found if each.root in roots.unpushed}
            absent = [each for each in found if each.page not in nowhere]
            if not absent:
                yield lock, _planned(project, cache, request, roots.kept, live, reporter)
                return
        nowhere |= _fetch(project, absent, roots.names, reporter, allow_missing=request.allow_missing)
    raise MissingData("listings that are needed keep vanishing from the cache", hint="dvtool fsck")


class _Roots(NamedTuple):
    """``names``: whose each root is, in words. ``kept``: by the rules. ``others``: by other workspaces.

    ``unpushed``: those of ``kept`` that no remote is to have; where the listing is not here, it is nowhere.
    """

    names: dict[Root, str]
    kept: tuple[Root, ...]
    others: tuple[Root, ...]
    unpushed: frozenset[Root]

    @property
    def in_turn(self) -> list[Root]:
        """All of them. What two need and is absent counts as the first one's: it must be one that remotes have."""
        own = [root for root in self.kept if root not in self.unpushed]
        return [*own, *self.others, *self.unpushed]


def _roots(project: Project, cache: Cache, rules: KeepRules) -> _Roots:
    names: dict[Root, str] = {}
    pushed: set[Root] = set()
    for keep in roots_to_keep(project, rules):
        if keep.pushed:
            pushed.add(keep.root)
        label = keep.commit if " " in keep.commit else keep.commit[:10]
        names.setdefault(keep.root, f"{show(keep.path)} in {label}" if label else show(keep.path))
    kept = tuple(names)
    others = tuple(roots_of_others(project, cache))
    for root in others:
        names.setdefault(root, "a directory of another workspace that shares the cache")
    return _Roots(names, kept, others, frozenset(kept) - pushed - frozenset(others))


def _planned(
    project: Project, cache: Cache, request: GcRequest, kept: tuple[Root, ...], live: Marks, reporter: Reporter
) -> _Collection:
    grace = request.grace if request.grace is not None else _seconds(project, "gc.grace", DEFAULT_GRACE)
    keep_trash = (_seconds(project, "gc.trash", DEFAULT_TRASH) or None) if request.trash else None
    try:
        oldest = request.now - grace if grace else float("inf")
        plan = plan_collection(survey(cache, live.__contains__, oldest, reporter))
        unproved = 0
        if request.min_copies:
            unproved = _mark_unproved(project, cache, request, plan, live, reporter)
            plan = plan_collection(survey(cache, live.__contains__, oldest, reporter))
        plan = with_sizes(cache, plan, live.__contains__, reporter)
        plan = fitting(plan, free_bytes(cache.root), to_trash=keep_trash is not None)
        dead = Marks()
        for each in dead_objects(cache, plan, live.__contains__):
            if each.kind != RECIPE:
                dead.add(each.oid)
        named = last_names(project, cache, dead, live.__contains__) if len(dead) else ()
        objects = gc_objects(dead_objects(cache, plan, live.__contains__), named)
        result = GcResult(
            plan,
            objects,
            tuple(expired(cache, request.now, keep_trash or 0.0)),
            grace,
            keep_trash,
            unproved,
            len(cache.packs.damaged()),
        )
    except OSError as error:
        raise storage_error(error, "read the cache", error.filename or cache.root) from error
    return _Collection(cache, kept, live, result)


def _mark_unproved(
    project: Project, cache: Cache, request: GcRequest, plan: CollectionPlan, live: Marks, reporter: Reporter
) -> int:
    """Mark what too few remotes prove to hold; how many objects that are. Raises what a remote raises."""
    from dvtool.project.copies import proving_remotes
    from dvtool.project.parts import open_tracked
    from dvtool.project.routes import Routes
    from dvtool.transfer.copies import Asked
    from dvtool.transfer.copies import CopyProofs

    routes = Routes(project.config)
    owners = {"": None, **{routes.owner(item): None for item in open_tracked(project)}}
    names = proving_remotes(project, request.remotes, request.min_copies, owners)
    unproved = Marks()
    with ExitStack() as stack:
        remotes = [stack.enter_context(closing(open_remote_of(project, name))) for name in names]
        proofs = stack.enter_context(CopyProofs(cache, remotes, jobs=request.jobs))
        reporter.begin("asking the remotes", unit="objects")
        asked = (Asked(*each) for each in dead_objects(cache, plan, live.__contains__))
        for each, holding in proofs.each(asked):
            reporter.advance(1)
            if len(holding) < request.min_copies:
                unproved.add(each.oid)
        reporter.end()
        if proofs.unreachable:
            raise proofs.unreachable[0]
        if not proofs.confirm():
            raise MissingData("a remote changed while it was asked: nothing was deleted", hint="run it again")
    live.update(unproved)
    return len(unproved)


def _fetch(
    project: Project, absent: list[Absent], names: dict[Root, str], reporter: Reporter, *, allow_missing: bool
) -> set[ObjectId]:
    """Bring listings from the default remote; the pages that are nowhere, if that is allowed."""
    reporter.note("some listings are not in the cache: they are fetched, for what they name is kept")
    nowhere = set()
    try:
        fetch_below(project, [each.page for each in absent], reporter)
    except MissingData as error:
        if not allow_missing:
            raise MissingData(
                f"nothing was deleted: {names[absent[0].root]}: its listing is neither here nor on the remote,"
                " so what it needs is not known",
                hint="keep less than that; or, if its data is lost anyway, --allow-missing",
                causes=(error,),
            ) from error
        for _, page in absent:
            try:
                fetch_below(project, [page], reporter)
            except MissingData:
                nowhere.add(page)
    return nowhere


def _refuse_foreign(project: Project, cache: Cache) -> None:
    """The own cache of a repository does not say what that repository needs: only its own commands know."""
    if project.config.path("cache.dir") is None:
        return
    root = os.path.realpath(cache.root)
    above, name = os.path.split(root)
    owner, folder = os.path.split(above)
    own = os.path.realpath(project.root if project.git is None else project.git.common_dir)
    if name != b"cache" or owner == own:
        return
    is_repository = folder == b"dvtool" and os.path.isdir(os.path.join(owner, b"objects"))
    if is_repository or folder == b".dvtool":
        raise UnsafeInput(
            f"{show(root)} is the own cache of another repository, which does not say in it what it needs",
            path=root,
            hint=f"run `dvtool gc` there, in {show(os.path.dirname(owner) if is_repository else owner)}",
        )


def _seconds(project: Project, key: str, default: str) -> float:
    return float(parse_duration(project.config.text(key) or default))

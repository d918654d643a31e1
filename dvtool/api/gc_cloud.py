"""Freeing a remote of what nobody needs any more."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Collection as Several
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

from dvtool.api.gcobjects import GcObjects
from dvtool.api.gcobjects import gc_objects
from dvtool.errors import UsageError
from dvtool.formats.oplog import Collection as LoggedCollection
from dvtool.formats.pack import RECIPE
from dvtool.formats.records import Root
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.keeping import KeepRules
from dvtool.project.keeping import commits_to_keep
from dvtool.project.keeping import roots_to_keep
from dvtool.project.lastnames import last_names
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.pages import fetch_below
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_remote_of
from dvtool.project.routes import Routes
from dvtool.store.collect import DeadObject
from dvtool.store.live import mark_live
from dvtool.store.unnamed import Marks
from dvtool.transfer.collect.collect import Collection
from dvtool.transfer.collect.collect import CollectPlan
from dvtool.transfer.collect.types import GRACE
from dvtool.transfer.collect.types import CollectContext
from dvtool.transfer.collect.types import CollectDone
from dvtool.transfer.collect.types import Selection
from dvtool.transfer.collect.types import times_for

__all__ = ["GcCloudRequest", "GcCloudResult", "gc_cloud"]

_SHORT = 10


@dataclass(frozen=True, slots=True)
class GcCloudRequest:
    """``rules``: what is kept; None is refused. ``remote``: None is the default one.

    ``grace``: seconds from the day something is doomed until it may be deleted; the other ages are
    in proportion to it, and 0 takes all at once. ``expire_unknown``: root records of other
    repositories, of commits that are not here, and of pushes without a commit keep nothing when
    they are so many seconds old; None: they keep what they name. ``now``: Unix seconds.
    """

    rules: KeepRules | None = None
    remote: str | None = None
    grace: float = GRACE
    expire_unknown: float | None = None
    jobs: int = 0
    dry_run: bool = False
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class GcCloudResult:
    """What goes, or went where ``done``. ``objects``: what is doomed or deleted in this run.

    ``report``: what was done; None before. ``undo_key``: the dead list that `undo` takes back; empty for none.
    """

    remote: str
    url: str
    plan: CollectPlan
    objects: GcObjects = field(compare=False)
    grace: float = GRACE
    done: bool = False
    report: CollectDone | None = None

    @property
    def bytes_freed(self) -> int:
        """Deleted in this run."""
        return self.plan.bytes_freed

    @property
    def undo_key(self) -> str:
        if self.report is None or self.grace <= 0:
            return ""
        return self.report.dead_list


def gc_cloud(
    project: Project,
    request: GcCloudRequest,
    reporter: Reporter = SILENT,
    confirm: Callable[[GcCloudResult], bool] | None = None,
) -> GcCloudResult:
    """Doom what neither the rules nor any root record keep on the remote, and delete what was doomed before.

    *confirm* sees the plan; False leaves everything as it is. Nothing is locked: what others push
    meanwhile is safe. Whatever cannot be read or proved stops it before anything is deleted. Raises
    `UsageError` without rules, `MissingData` where a listing that is needed is nowhere, `FormatError`,
    `IntegrityError`, `UnsafeInput`, `StorageError`, also for a remote that cannot be collected.
    """
    rules = request.rules
    if rules is None:
        raise UsageError(
            "say what to keep: of this repository nothing else stays on the remote",
            hint="`dvtool gc --cloud --all-commits` keeps what any commit here names",
        )
    cache = open_cache(project)
    times = times_for(request.grace, request.expire_unknown)
    context = CollectContext(os.path.join(project.layout.state_dir, b"push"), request.now, request.jobs)
    with closing(open_remote_of(project, request.remote)) as remote:
        remote.prepare()
        selection = _selection(project, rules, remote.name, reporter)
        with Collection(cache, remote, selection, times, context, reporter) as work:
            plan = work.plan(dry_run=request.dry_run)
            objects = _objects(project, work, plan)
            result = GcCloudResult(remote.name, remote.url, plan, objects, request.grace)
            if request.dry_run or (confirm is not None and not confirm(result)):
                return result
            with begin(project, "gc --cloud", required=False) as operation:

                def dooms(key: str) -> None:
                    if request.grace > 0:
                        operation.record(collections=[LoggedCollection(remote.name, key)])
                    else:
                        operation.record(lasting="with --grace 0 it was deleted at once")

                # Recorded even if nothing else is: or the next undo would take back what came before.
                if plan.finish.packs:
                    operation.record(lasting="what was doomed before was deleted")
                report = work.execute(plan, dooms)
            return replace(result, done=True, report=report)


def _selection(project: Project, rules: KeepRules, name: str, reporter: Reporter) -> Selection:
    """Everything is kept as far as it is there; what belongs to another remote need not be."""
    routes = Routes(project.config)
    roots: dict[Root, str] = {}
    others: dict[Root, str] = {}
    unpushed: dict[Root, str] = {}
    for keep in roots_to_keep(project, rules):
        label = keep.commit if " " in keep.commit else keep.commit[:_SHORT]
        words = f"{show(keep.path)} in {label}" if label else show(keep.path)
        if not keep.pushed:
            unpushed.setdefault(keep.root, words)
            continue
        owner = routes.owner_of(keep.path, keep.remote, is_directory=keep.root.directory)
        (roots if routes.may_hold(owner, name) else others).setdefault(keep.root, words)
    # What no remote is to have may lie there from earlier. A listing that is not here is nowhere, and keeps nothing.
    cache = open_cache(project)
    for root, words in unpushed.items():
        if root not in roots and not mark_live(cache, [root], Marks()):
            others.setdefault(root, words)
    # What they need must be known all the same, for some of it may lie here; their own remote has the listings.
    fetch_below(project, [root.oid for root in others if root.directory and root not in roots], reporter)
    elsewhere = frozenset(words for root, words in others.items() if root not in roots)

    def known(commits: Several[str]) -> set[str]:
        if project.git is None:
            return set()
        from dvtool.git.tips import commits_there

        return commits_there(project.git, commits)

    return Selection(project.repo_id, {**others, **roots}, commits_to_keep(project, rules), known, elsewhere)


def _objects(project: Project, work: Collection, plan: CollectPlan) -> GcObjects:
    def dead() -> Iterator[DeadObject]:
        for each, _ in work.objects(plan):
            yield DeadObject(ObjectId(each.digest), each.kind, each.size)

    marks = Marks()
    for each in dead():
        if each.kind != RECIPE:
            marks.add(each.oid)
    return gc_objects(dead(), last_names(project, open_cache(project), marks) if len(marks) else ())

"""Bringing data to remotes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dvtool.errors import DvtoolError
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.adoptpush import require_adopted
from dvtool.project.adoptpush import split_adopted
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.oplog import require_own
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_tracked
from dvtool.project.remotes import Remotes
from dvtool.project.routes import Route
from dvtool.project.routes import Routes
from dvtool.project.targets import select_targets
from dvtool.project.transfers import NO_REVISIONS
from dvtool.project.transfers import Revisions
from dvtool.project.transfers import commits_of
from dvtool.project.transfers import merged
from dvtool.project.transfers import note_unpushed
from dvtool.project.transfers import push_context
from dvtool.project.transfers import wanted_in_history
from dvtool.project.transfers import wanted_now
from dvtool.store.runfiles import RunFiles
from dvtool.transfer.push import PushPlan
from dvtool.transfer.push import plan_push
from dvtool.transfer.push import push as run_push
from dvtool.transfer.pushverify import verify_push
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import PushResult
from dvtool.workspace.pointers import TrackedPaths

if TYPE_CHECKING:
    from dvtool.project.sharedruns import RunsToSend

__all__ = ["PushReport", "PushRequest", "PushedTo", "push", "raise_for"]


@dataclass(frozen=True, slots=True)
class PushRequest:
    """``targets`` as in `StatusRequest`. ``remotes``: to these, each as far as a path may go there; none
    means to the one that each path belongs to. ``mirrors``: to their mirrors as well. ``jobs``: requests
    at once, 0 for what the remote bears well. ``now``: Unix seconds by the caller's clock.
    ``verify``: read back what was sent. ``run_cache``: also what all earlier runs made; False: no run at all; None:
    the runs that made what is pushed. ``worktree``: what is tracked now; False for ``revisions`` alone.
    """

    targets: tuple[bytes, ...] = ()
    remotes: tuple[str, ...] = ()
    mirrors: bool = False
    revisions: Revisions = NO_REVISIONS
    jobs: int = 0
    dry_run: bool = False
    now: float = 0.0
    verify: bool = False
    run_cache: bool | None = None
    worktree: bool = True


@dataclass(frozen=True, slots=True)
class PushedTo:
    """One remote: ``plan`` after a dry run, else ``result``, or the ``error`` that it ended with.

    ``read_back``: bytes, None if that was not asked for.
    """

    remote: str
    url: str
    plan: PushPlan | None = None
    result: PushResult | None = None
    read_back: int | None = None
    error: DvtoolError | None = None

    @property
    def up_to_date(self) -> bool:
        if self.result is not None:
            return self.result.up_to_date and self.error is None
        return self.plan is not None and self.plan.up_to_date


@dataclass(frozen=True, slots=True)
class PushReport:
    """What became of each remote, in the order of the work."""

    remotes: tuple[PushedTo, ...]

    @property
    def up_to_date(self) -> bool:
        return all(one.up_to_date for one in self.remotes)


def push(project: Project, request: PushRequest, reporter: Reporter = SILENT) -> PushReport:
    """Upload what the remotes lack. A remote without an error in the report can give back every byte asked
    for. Of several, one that fails does not stop the others, and `raise_for` tells.

    Raises `MissingData` (neither here nor there, by path, after the rest was sent), `IntegrityError`,
    `StorageError`, `AccessDenied` where there is one remote; `ConfigError`, `UnsafeInput`.
    """
    require_own(project.layout, "push")
    with Remotes(project) as remotes:
        remotes.prepare(request.remotes)
        tracked = open_tracked(project)
        routes = Routes(project.config)
        selected = select_targets(project, tracked, request.targets, "push") if request.worktree else []
        note_unpushed(selected, request.targets, reporter)
        wanted = merged(wanted_now(routes, selected), wanted_in_history(project, routes, request.revisions))
        runs = _runs_to_send(project, request)
        if runs is not None:
            wanted = merged(wanted, runs.wanted(routes, wanted))
        mirrors = request.mirrors or project.config.flag("core.push_mirrors")
        wanted, adopted = split_adopted(wanted)
        left = routes.for_pushing(adopted, request.remotes, reporter, mirrors=mirrors) if adopted else []
        going = routes.for_pushing(wanted, request.remotes, reporter, mirrors=mirrors)
        if not wanted:
            going = [Route((name or project.config.remote().name,), []) for name in request.remotes or ("",)]
        for route in going:
            remotes.get(route.remotes[0])
        work = _Work(project, request, remotes, _commits(project, request, tracked), reporter)
        if request.dry_run:
            return PushReport(tuple(work.plan(route) for route in going))
        pushed: list[PushedTo] = []
        try:
            with begin(project, "push", required=False) as operation:
                names = ", ".join(route.remotes[0] for route in going)
                operation.record(lasting="what was uploaded stays on the remote", summary=f"to {names}")
                pushed += [work.push(route) for route in going]
                for route, one in zip(going, pushed):
                    if runs is not None and one.error is None:
                        runs.send(remotes.get(one.remote), route.wanted, wanted, reporter)
                # Inside, so that the operation stays marked as one that failed.
                raise_for(PushReport(tuple(pushed)))
                require_adopted(project.config, remotes, left, reporter)
                if all(one.up_to_date for one in pushed):
                    operation.cancel()
        except DvtoolError:
            if len(pushed) < 2:
                raise
        return PushReport(tuple(pushed))


def raise_for(report: PushReport) -> None:
    """Raise the error that a push ends with, if it failed on any remote."""
    errors = [one.error for one in report.remotes if one.error is not None]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        failed = ", ".join(one.remote for one in report.remotes if one.error is not None)
        hint = "`dvtool push -r NAME` tries one of them again"
        causes = tuple(cause for error in errors for cause in (error, *error.causes))
        raise DvtoolError(f"the push to {len(errors)} remotes failed: {failed}", hint=hint, causes=causes)


class _Work:
    def __init__(
        self, project: Project, request: PushRequest, remotes: Remotes, commits: tuple[str, ...], reporter: Reporter
    ) -> None:
        self._project = project
        self._request = request
        self._remotes = remotes
        self._commits = commits
        self._reporter = reporter

    def plan(self, route: Route) -> PushedTo:
        name = route.remotes[0]
        remote = self._remotes.get(name)
        context = self._context(name)
        plan = plan_push(open_cache(self._project), remote, route.wanted, context, self._reporter)
        return PushedTo(name, remote.url, plan=plan)

    def push(self, route: Route) -> PushedTo:
        """What becomes of one remote; an error of its own is no reason to leave out the next."""
        name = route.remotes[0]
        remote = self._remotes.get(name)
        try:
            cache = open_cache(self._project)
            result = run_push(cache, remote, route.wanted, self._context(name), self._reporter)
            read_back = None
            if self._request.verify:
                read_back = verify_push(cache, remote, result, jobs=self._request.jobs, reporter=self._reporter)
            return PushedTo(name, remote.url, result=result, read_back=read_back)
        except DvtoolError as error:
            return PushedTo(name, remote.url, error=error)

    def _context(self, name: str) -> PushContext:
        settings = self._project.config.remote(name)
        request = self._request
        return push_context(self._project, settings, self._commits, jobs=request.jobs, now=request.now)


def _runs_to_send(project: Project, request: PushRequest) -> RunsToSend | None:
    """None where nothing was ever run."""
    cache = open_cache(project)
    if request.run_cache is False or not RunFiles(cache).paths():
        return None
    from dvtool.project.sharedruns import RunsToSend

    return RunsToSend(project, cache, everything=request.run_cache is True)


def _commits(project: Project, request: PushRequest, tracked: TrackedPaths) -> tuple[str, ...]:
    """The commits whose data this push covers whole: named in the root record."""
    if project.git is None or request.targets:
        return ()
    from dvtool.git.revisions import head
    from dvtool.project.history import changed_since_head

    commits = set(commits_of(project, request.revisions))
    if request.revisions.brought:
        from dvtool.git.history import commits_touching_pointers

        subdir = project.layout.prefix.rstrip(b"/")
        commits.update(commits_touching_pointers(project.git, request.revisions.brought, subdir=subdir))
    current = head(project.git) if request.worktree else None
    if current is not None and not any(changed_since_head(project, tracked)):
        commits.add(current)
    return tuple(sorted(commits))

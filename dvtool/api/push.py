"""Bringing data to a remote."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_remote_of
from dvtool.project.parts import open_tracked
from dvtool.project.parts import relative_paths
from dvtool.project.transfers import NO_REVISIONS
from dvtool.project.transfers import Revisions
from dvtool.project.transfers import commits_of
from dvtool.project.transfers import merged
from dvtool.project.transfers import push_context
from dvtool.project.transfers import wanted_in_history
from dvtool.project.transfers import wanted_now
from dvtool.transfer.push import PushPlan
from dvtool.transfer.push import plan_push
from dvtool.transfer.push import push as run_push
from dvtool.transfer.pushverify import verify_push
from dvtool.transfer.types import PushResult
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.selection import select

__all__ = ["PushReport", "PushRequest", "push"]


@dataclass(frozen=True, slots=True)
class PushRequest:
    """``targets`` as in `StatusRequest`; ``remote`` None is the default one. ``jobs``: requests at
    once, 0 for what the remote bears well. ``now``: Unix seconds by the caller's clock.
    ``verify``: read back what was sent.
    """

    targets: tuple[bytes, ...] = ()
    remote: str | None = None
    revisions: Revisions = NO_REVISIONS
    jobs: int = 0
    dry_run: bool = False
    now: float = 0.0
    verify: bool = False


@dataclass(frozen=True, slots=True)
class PushReport:
    """``plan`` after a dry run, ``result`` otherwise. ``read_back``: bytes, None if that was not asked for."""

    remote: str
    url: str
    plan: PushPlan | None
    result: PushResult | None
    read_back: int | None = None


def push(project: Project, request: PushRequest, reporter: Reporter = SILENT) -> PushReport:
    """Upload what the remote lacks. When it returns, the remote can give back every byte asked for.

    Raises `MissingData` (neither here nor there, by path, after the rest was sent),
    `IntegrityError`, `StorageError`, `AccessDenied`, `ConfigError`.
    """
    settings = project.config.remote(request.remote)
    with closing(open_remote_of(project, request.remote)) as remote:
        # A driver takes up to half a second to load: it does so while pointers are read.
        remote.prepare()
        tracked = open_tracked(project)
        selected = select(tracked, relative_paths(project, request.targets))
        wanted = merged(wanted_now(selected), wanted_in_history(project, request.revisions))
        commits = _commits(project, request, tracked)
        context = push_context(project, settings, commits, jobs=request.jobs, now=request.now)
        cache = open_cache(project)
        if request.dry_run:
            return PushReport(remote.name, remote.url, plan_push(cache, remote, wanted, context, reporter), None)
        with begin(project, "push", required=False) as operation:
            operation.record(lasting="what was uploaded stays on the remote", summary=f"to {remote.name}")
            result = run_push(cache, remote, wanted, context, reporter)
            if result.up_to_date:
                operation.cancel()
        read_back = verify_push(cache, remote, result, jobs=request.jobs, reporter=reporter) if request.verify else None
        return PushReport(remote.name, remote.url, None, result, read_back)


def _commits(project: Project, request: PushRequest, tracked: TrackedPaths) -> tuple[str, ...]:
    """The commits whose data this push covers whole: named in the root record."""
    if project.git is None or request.targets:
        return ()
    from dvtool.git.revisions import head
    from dvtool.project.history import changed_since_head

    commits = set(commits_of(project, request.revisions))
    current = head(project.git)
    if current is not None and not any(changed_since_head(project, tracked)):
        commits.add(current)
    return tuple(sorted(commits))

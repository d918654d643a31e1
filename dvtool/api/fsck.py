"""Checking the cache and remotes, and healing them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from dataclasses import replace

from dvtool.api.fsckadopted import with_adopted
from dvtool.api.fsckheal import heal_cache
from dvtool.api.fsckremote import repair_remote
from dvtool.api.fsckscope import EVERYTHING
from dvtool.api.fsckscope import Scope
from dvtool.api.fsckscope import adopted_in
from dvtool.api.fsckscope import as_options
from dvtool.api.fsckscope import wanted_in
from dvtool.api.fsckworkspace import repair_workspace
from dvtool.api.fsckworkspace import workspace_notes
from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.formats.pack import META
from dvtool.model.paths import is_below
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_remote_of
from dvtool.project.parts import open_tracked
from dvtool.project.routes import Routes
from dvtool.project.transfers import push_context
from dvtool.store.cache import Cache
from dvtool.store.fsck.choice import STRUCTURE
from dvtool.store.fsck.choice import Choice
from dvtool.store.fsck.repair import execute_cache_repair
from dvtool.store.fsck.repair import plan_cache_repair
from dvtool.store.fsck.values import Finding
from dvtool.store.fsck.values import Kind
from dvtool.store.fsck.values import Severity
from dvtool.store.fsck.values import StoreReport
from dvtool.store.fsck.values import many
from dvtool.store.fsck.values import worst
from dvtool.store.salvage import SetAside
from dvtool.transfer.fsck.doom import plan_remote_repair
from dvtool.transfer.fsck.doom import renew_store_file
from dvtool.transfer.fsck.local import check_cache
from dvtool.transfer.fsck.remote import check_remote
from dvtool.transfer.types import Wanted
from dvtool.workspace.dropped import Dropped

_LASTING = "what was healed stays so; what was damaged is only set aside"


@dataclass(frozen=True, slots=True)
class FsckRequest:
    """``remote``: check that remote (None: the cache). ``choice``: which files are read whole."""

    scope: Scope = EVERYTHING
    remote: str | None = None
    choice: Choice = STRUCTURE
    repair: bool = False
    jobs: int = 0


@dataclass(frozen=True, slots=True)
class FsckResult:
    """``report``: what is found now, after a repair what is left. ``before``: what a repair was about."""

    report: StoreReport
    before: StoreReport | None = None


def fsck(project: Project, request: FsckRequest, reporter: Reporter = SILENT) -> FsckResult:
    """Look, and heal where asked. Damage is in the result; `raise_for` turns it into an error.

    Raises `StorageError` for a failing disk or network, `UsageError`, `FormatError`, `UnsafeInput`.
    """
    wanted = wanted_in(project, request.scope, here=request.remote is None)
    check = _remote if request.remote is not None else _local
    result = check(project, request, wanted, reporter)
    before = result.before and _with_fixes(project, result.before, request)
    return FsckResult(_with_fixes(project, result.report, request), before)


def _with_fixes(project: Project, report: StoreReport, request: FsckRequest) -> StoreReport:
    """The repair that is proposed looks at all that this check looked at: or it would find nothing to do."""
    report = _without_remotes(project, report)
    start = "dvtool fsck" + (f" --remote {report.store}" if report.store else "")
    deep = [] if request.choice._replace(now=0.0) == STRUCTURE else ["--deep"]
    scope = request.scope
    fixes = {f"{start} --repair": " ".join([start, *deep, *as_options(scope), "--repair"])}
    # `fetch` knows no single revisions.
    history = replace(scope.revisions, all_commits=scope.revisions.all_commits or bool(scope.revs))
    fetching = " ".join(["dvtool fetch", *as_options(Scope(revisions=history))])

    def fix(finding: Finding) -> str:
        if finding.severity is Severity.NOTE:
            return finding.fix
        return fixes.get(finding.fix, finding.fix).replace("dvtool fetch", fetching, 1)

    return replace(report, findings=tuple(replace(each, fix=fix(each)) for each in report.findings))


def _without_remotes(project: Project, report: StoreReport) -> StoreReport:
    """What no remote is to have is not fetched: the worktree still has it, or its stage makes it."""
    missing = {finding.place for finding in report.findings if finding.kind is Kind.MISSING and not report.store}
    here = {item.path for item in open_tracked(project) if not item.pushed} if missing else set()

    def fix(finding: Finding) -> str:
        if finding.kind is not Kind.MISSING or finding.place not in here:
            return finding.fix
        is_there = os.path.lexists(os.path.join(project.root, finding.place))
        return "dvtool fsck --repair" if is_there else "dvtool repro"

    return replace(report, findings=tuple(replace(each, fix=fix(each)) for each in report.findings))


def _local(project: Project, request: FsckRequest, wanted: list[Wanted], reporter: Reporter) -> FsckResult:
    report = _cache(project, request, wanted, request.choice, reporter)
    if not request.repair or worst(report.findings) is None:
        return FsckResult(report)
    with begin(project, "fsck", required=False) as operation:
        operation.record(lasting=_LASTING, summary="the cache")
        plan = plan_cache_repair(report.findings)
        aside = execute_cache_repair(open_cache(project), plan, on_wait=reporter.note)
        repair_workspace(project, report.findings, reporter)
        if any(finding.affected for finding in report.findings if finding.severity is not Severity.NOTE):
            heal_cache(project, wanted, reporter)
    lost = _still_lost(open_cache(project), aside)
    if lost and not request.scope.revisions.all_commits:
        what = many(lost, "damaged object")
        reporter.note(f"{what} not brought back: `dvtool fsck -A --repair` does so where other commits need them")
    return FsckResult(_cache(project, request, wanted, Choice(now=request.choice.now), reporter), report)


def _still_lost(cache: Cache, aside: Iterable[SetAside]) -> int:
    lost = {oid for each in aside for oid in each.lost}
    return sum(1 for oid in lost if not cache.has_blob(oid) and cache.packs.find(oid, META) is None)


def _cache(
    project: Project, request: FsckRequest, wanted: list[Wanted], choice: Choice, reporter: Reporter
) -> StoreReport:
    dropped = Dropped(project.layout.state_dir).read()

    def is_dropped(path: bytes, each: Wanted) -> bool:
        # What stands in the worktree again came with its bytes.
        is_noted = any(row.oid == each.oid and is_below(path, row.path) for row in dropped)
        return is_noted and not os.path.lexists(os.path.join(project.root, path))

    report = check_cache(open_cache(project), wanted, choice, project.layout.state_dir, reporter, is_dropped=is_dropped)
    if request.scope.targets:
        return report
    return replace(report, findings=(*report.findings, *workspace_notes(project)))


def _remote(project: Project, request: FsckRequest, wanted: list[Wanted], reporter: Reporter) -> FsckResult:
    state_dir = project.layout.state_dir
    settings = project.config.remote(request.remote)
    routes = Routes(project.config)
    wanted = [one for one in wanted if routes.may_hold(one.remote, settings.name)]
    with closing(open_remote_of(project, request.remote)) as remote:

        def check(choice: Choice) -> StoreReport:
            cache = open_cache(project)
            return check_remote(cache, remote, wanted, choice, state_dir, jobs=request.jobs, reporter=reporter)

        adopted = [one for one in adopted_in(project, request.scope) if routes.may_hold(one.remote, settings.name)]
        report = check(request.choice)
        plan = plan_remote_repair(report.findings)
        if not request.repair or plan.is_nothing:
            return FsckResult(with_adopted(report, remote, adopted))
        with begin(project, "fsck", required=False) as operation:
            operation.record(lasting=_LASTING, summary=f"remote {remote.name}")
            if plan.store_file:
                # Until it can be read, nothing else can.
                renew_store_file(remote, push_context(project, settings, (), jobs=request.jobs, now=request.choice.now))
                plan = plan_remote_repair(check(request.choice).findings)
            repair_remote(
                project, remote, plan, wanted, request.scope, reporter, jobs=request.jobs, now=request.choice.now
            )
        return FsckResult(with_adopted(check(Choice(now=request.choice.now)), remote, adopted), report)


def raise_for(result: FsckResult) -> None:
    """Raise the error that the command ends with: damage before what is missing; none for notes."""
    findings = result.report.findings
    severity = worst(findings)
    if severity is None or severity is Severity.NOTE:
        return
    errors = [finding for finding in findings if finding.severity is not Severity.NOTE]
    where = f"remote {result.report.store}" if result.report.store else "the cache"
    hint = next((finding.fix for finding in errors if finding.severity is severity and finding.fix), None)
    kind: type[DvtoolError] = IntegrityError if severity is Severity.DAMAGE else MissingData
    what = "is damaged" if severity is Severity.DAMAGE else "does not hold all that the pointers name"
    raise kind(f"{where} {what}: {_counted(errors)}", hint=hint)


def _counted(errors: list[Finding]) -> str:
    paths = sum(finding.affected for finding in errors)
    affected = f"{paths} path{'s' if paths != 1 else ''} affected" if paths else "no tracked path is affected"
    return f"{len(errors)} finding{'s' if len(errors) != 1 else ''}, {affected}"

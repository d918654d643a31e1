"""``repro --pull``: what a run would restore or read, and is not here, comes from the remotes first.

With ``--allow-missing`` that is only what stages read that have to run, and what the run cache has for them: what is
recorded of all others counts as there.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from dvtool.api.checkout import note_plans
from dvtool.api.fetch import fetch_wanted
from dvtool.errors import DvtoolError
from dvtool.formats.lock import Storing
from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.pipeline.globs import static_prefix
from dvtool.pipeline.outlook import Foreseen
from dvtool.pipeline.outputs import tracked_output
from dvtool.pipeline.types import Action
from dvtool.pipeline.types import DepKind
from dvtool.project.bringing import Bring
from dvtool.project.foresight import foresee
from dvtool.project.imported import fetch_imported
from dvtool.project.open import Project
from dvtool.project.oplog import Recorder
from dvtool.project.parts import link_types
from dvtool.project.pipelines import Pipeline
from dvtool.project.pipelines import open_pipeline
from dvtool.project.remotes import Remotes
from dvtool.project.routes import Routes
from dvtool.project.sharedruns import receive_runs
from dvtool.project.transfers import imports_now
from dvtool.project.transfers import wanted_now
from dvtool.project.transfers import wanted_of
from dvtool.store.gaps import Gap
from dvtool.transfer.types import Wanted
from dvtool.workspace.applying import Applying
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.selection import Selected
from dvtool.workspace.selection import wanted_entry
from dvtool.workspace.worktree import Worktree

if TYPE_CHECKING:
    from dvtool.api.repro import ReproRequest

_OUTSIDE = (DepKind.ENV, DepKind.URL, DepKind.COMMAND)


def pull_for(
    project: Project,
    worktree: Worktree,
    addresses: Sequence[str],
    request: ReproRequest,
    operation: Recorder,
    reporter: Reporter,
) -> None:
    """Fetch what those stages need as far as remotes have it, and place tracked dependencies that are missing.

    What no remote has is told: a stage that needs it runs, or says what it misses. Raises `StorageError`,
    `AccessDenied`, `ConfigError` where a remote cannot be asked.
    """
    routes = Routes(project.config)
    if request.run_cache:
        with Remotes(project) as remotes:
            receive_runs(project, [remotes.get(project.config.remote().name)], reporter)

    def look(*, pull: bool) -> tuple[Pipeline, dict[str, Foreseen]]:
        allow_missing = request.allow_missing
        pipeline = opened.enter_context(
            open_pipeline(project, reporter=reporter, worktree=worktree, pull=True, allow_missing=allow_missing)
        )
        found = foresee(
            pipeline,
            addresses,
            force=addresses if request.force else (),
            force_downstream=request.force_downstream,
            run_cache=request.run_cache,
            pull=pull,
            reporter=reporter,
        )
        return pipeline, found

    with ExitStack() as opened:
        _fetch(project, worktree, _outputs(routes, *look(pull=True)), reporter)
        # What did not come cannot be restored: what reads tracked data to make it again needs that.
        absent = _absent(*look(pull=False))
        own = [one for one in absent if not one.item.is_imported]
        _fetch(project, worktree, wanted_now(routes, own, unpushed=True), reporter)
        if len(own) < len(absent):
            fetch_imported(project, worktree.cache, imports_now(routes, absent), Bring(), reporter)
            worktree.cache.forget()
        _place(project, worktree, absent, request, operation, reporter)


def _fetch(project: Project, worktree: Worktree, wanted: Sequence[Wanted], reporter: Reporter) -> None:
    if not wanted:
        return
    report = fetch_wanted(project, wanted, reporter)
    worktree.cache.forget()
    for item in report.missing[:1]:
        more = f" and {len(report.missing) - 1:,} more are" if report.missing[1:] else " is"
        reporter.note(f"{show(item.path)}{more} not on the remotes")


def _outputs(routes: Routes, pipeline: Pipeline, found: dict[str, Foreseen]) -> list[Wanted]:
    """What is to be restored and is not in the cache."""
    wanted = []
    for address, foreseen in found.items():
        source, stage = foreseen.source, pipeline.graph.stages[address]
        for path, content in source.outs.items() if source is not None else ():
            if foreseen.seen.outs.get(path) != content and pipeline.gap(content) != Gap():
                item = tracked_output(
                    stage, path, content, source.storing.get(path, Storing()) if source else Storing()
                )
                wanted.append(wanted_of(routes, item))
    return wanted


def _absent(pipeline: Pipeline, found: dict[str, Foreseen]) -> list[Selected]:
    """What stages that are to run read, and nothing of it stands there: with pointers, or made by stages that are
    passed over."""
    tracked = TrackedPaths((*pipeline.pointers, *_passed_over(pipeline, found)))
    chosen: dict[bytes, Selected] = {}
    for address, foreseen in found.items():
        if foreseen.decision.action in (Action.SKIP, Action.RESTORE):
            continue
        for dep in pipeline.graph.stages[address].deps:
            if dep.kind in _OUTSIDE or pipeline.worktree.stat(dep.path) is not None:
                continue
            owner = tracked.owner(dep.path)
            if owner is not None:
                path = _not_in_part(pipeline, owner, dep.path)
                chosen[path] = Selected(owner, path)
            else:
                chosen |= {item.path: Selected(item, item.path) for item in tracked.below(dep.path)}
    return [one for path, one in chosen.items() if not any(path != other and is_below(path, other) for other in chosen)]


def _passed_over(pipeline: Pipeline, found: dict[str, Foreseen]) -> Iterator[Tracked]:
    """Outputs in the cache of stages with nothing to do, as their locks have them."""
    for address, foreseen in found.items():
        if foreseen.decision.action is Action.SKIP and foreseen.record is not None:
            stage, record = pipeline.graph.stages[address], foreseen.record
            for path, content in record.outs.items():
                storing = record.storing.get(path, Storing())
                if storing.cache and path in pipeline.graph.producers:
                    yield tracked_output(stage, path, content, storing)


def _not_in_part(pipeline: Pipeline, item: Tracked, path: bytes) -> bytes:
    """*path*, or what lies around it in *item* where a stage looks at that: a part alone would be a change to it.

    An output is looked at by the stage that makes it.
    """
    if item.stage:
        return item.path
    for stage in pipeline.graph.stages.values():
        for dep in stage.deps:
            top = static_prefix(dep.path) if dep.kind is DepKind.GLOB else dep.path
            if dep.kind not in _OUTSIDE and is_below(path, top) and top != path:
                path = top if is_below(top, item.path) else item.path
    return path


def _place(
    project: Project,
    worktree: Worktree,
    absent: Sequence[Selected],
    request: ReproRequest,
    operation: Recorder,
    reporter: Reporter,
) -> None:
    applying = Applying(worktree, link_types(project), reporter, now=request.now)
    plans = []
    for one in absent:
        try:
            entry = wanted_entry(one.item, one.below, worktree.stored_page)
        except DvtoolError as error:
            reporter.note(error.message)
            continue
        if entry is not None:
            plan = applying.plan(one.path, entry, one.item.path, force=False, relink=False)
            plans.append((plan, one.item))
    note_plans(worktree, operation, plans)
    for plan, item in plans:
        applying.apply(plan, item)

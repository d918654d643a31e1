"""Writing the pointer of what was brought, and putting it into the worktree: both, or neither."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dvtool.api.checkout import note_plans
from dvtool.disk.durable import make_dirs
from dvtool.errors import DvtoolError
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.ports import Reporter
from dvtool.project.cacheroots import keep_in_shared_cache
from dvtool.project.newpath import check_new_path
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.parts import is_durable
from dvtool.project.parts import link_types
from dvtool.project.parts import open_tracked
from dvtool.project.parts import open_worktree
from dvtool.project.recording import Recorded
from dvtool.project.recording import record_pointers
from dvtool.project.routes import Routes
from dvtool.project.transfers import wanted_of
from dvtool.store.cache import Cache
from dvtool.transfer.fetch import fetch
from dvtool.workspace.applying import Applied
from dvtool.workspace.applying import Applying
from dvtool.workspace.pointers import Tracked


@dataclass(frozen=True, slots=True)
class Placing:
    """How: ``verb`` for the operation log; ``now``: Unix seconds; not ``data``: the pointer alone."""

    verb: str
    now: float
    force: bool = False
    data: bool = True


def check_free(project: Project, path: bytes, *, is_dir: bool) -> Tracked | None:
    """What is tracked at *path* already; raises where nothing may be."""
    with open_worktree(project) as worktree:
        tracked = open_tracked(project)
        known = tracked.get(path)
        if known is None:
            check_new_path(project, worktree, tracked, path, is_dir=is_dir)
            owner = tracked.owner(path)
            if owner is not None:
                raise UsageError(
                    f"{show(path)} lies in {show(owner.path)}, which is tracked as a whole",
                    path=path,
                    hint="name another place with -o",
                )
        return known


def place(project: Project, cache: Cache, item: Tracked, how: Placing, reporter: Reporter) -> Recorded:
    """Raises `DvtoolError` where unsaved changes are in the way: then nothing was written."""
    with open_worktree(project, cache) as worktree, begin(project, how.verb) as operation:
        worktree.lock(f"dvtool {how.verb}")
        keep_in_shared_cache(project, cache, [item])
        durable = is_durable(project)
        if not how.data:
            operation.prepare(summary=show(item.path))
            try:
                make_dirs(os.path.join(project.root, split(item.path)[0]))
            except OSError as error:
                raise storage_error(error, "write", error.filename or item.path) from error
            return record_pointers(project, [item], durable=durable)
        applying = Applying(worktree, link_types(project), reporter, now=how.now)
        plan = applying.plan(item.path, item.as_entry, item.path, force=how.force, relink=False)
        if plan.conflicts:
            path, why = plan.conflicts[0]
            raise DvtoolError(
                f"{show(path)} holds changes of your own ({why}), so nothing was done",
                path=path,
                hint=f"keep them with `dvtool add {show(item.path)}`, or replace them with --force "
                "(their bytes stay in the cache: `dvtool recover`)",
            )
        note_plans(worktree, operation, [(plan, item)])
        recorded = record_pointers(project, [item], durable=durable)
        _require(applying.apply(plan, item))
        return recorded


def finish(project: Project, cache: Cache, item: Tracked, how: Placing, reporter: Reporter) -> None:
    """Place what was recorded and then, by a killed command, not placed: if the cache has it all, and nothing of the
    user's own is in the way."""
    with open_worktree(project, cache) as worktree:
        base = worktree.base(item.path)
        if base is None or base.same_content(item.as_entry):
            return
        wanted = wanted_of(Routes(project.config), item, ())
        if fetch(cache, (), [wanted], dry_run=True).missing:
            return
        with begin(project, how.verb) as operation:
            worktree.lock(f"dvtool {how.verb}")
            applying = Applying(worktree, link_types(project), reporter, now=how.now)
            plan = applying.plan(item.path, item.as_entry, item.path, force=False, relink=False)
            if plan.conflicts:
                return
            note_plans(worktree, operation, [(plan, item)])
            _require(applying.apply(plan, item))


def _require(done: Applied) -> None:
    if done.placed.problems:
        raise done.placed.problems[0].error

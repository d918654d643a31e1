"""Taking operations back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.api.oplog import OperationView
from dvtool.api.oplog import view_of
from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.open import Project
from dvtool.project.oplog import begin_undo
from dvtool.project.oplog import operations
from dvtool.project.parts import is_durable
from dvtool.project.parts import link_types
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_worktree
from dvtool.project.undochoice import choose
from dvtool.project.undochoice import name_of
from dvtool.project.undochoice import why_it_stays
from dvtool.project.undofiles import Edit
from dvtool.project.undostep import Stepper
from dvtool.project.undostep import StepPlan
from dvtool.project.undostores import AGAIN
from dvtool.project.undostores import StoresPlan
from dvtool.project.undostores import bring_back
from dvtool.project.undostores import plan_stores
from dvtool.workspace.applying import Applied
from dvtool.workspace.applying import Applying
from dvtool.workspace.checkoutplan import CheckoutPlan
from dvtool.workspace.oplog import Logged

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class UndoRequest:
    """``to``: the operation to go back to, as `op_log` has it; None takes the last one back.

    ``force`` also replaces what was changed since; such files are kept for `recover`. ``now``:
    Unix seconds, for the record of those.
    """

    to: int | None = None
    force: bool = False
    dry_run: bool = False
    now: float = 0.0


class StepBack(NamedTuple):
    """One step: the operations that were taken back together, the newest first, and what that changed.

    ``id``: the operation that the step is in the log; None after a dry run and where nothing was left to do.
    """

    id: int | None
    operations: tuple[OperationView, ...]
    files: tuple[Edit, ...]
    plans: tuple[CheckoutPlan, ...]
    moved: tuple[tuple[bytes, bytes], ...]
    stores: StoresPlan


@dataclass(frozen=True, slots=True)
class UndoResult:
    """``passed``: operations that are not undone, each with the reason. ``is_dry``: nothing was changed.

    ``git_files``: what belongs into the next commit.
    """

    steps: tuple[StepBack, ...]
    passed: tuple[tuple[OperationView, str], ...]
    is_dry: bool
    replaced_kept: tuple[bytes, ...] = ()
    git_files: tuple[bytes, ...] = ()
    errors: tuple[DvtoolError, ...] = ()


def undo(project: Project, request: UndoRequest, reporter: Reporter = SILENT) -> UndoResult:
    """Take the last operation back, or all behind one. Each step is looked at whole before it changes anything.

    The result lists what could not be placed; `raise_for` turns that into the error to end with.
    Raises `UsageError` where there is nothing to take back, `DvtoolError` for what was changed since
    or is not undone, `MissingData` for bytes that the cache does not hold, `StorageError`, `Locked`.
    """
    cache = open_cache(project)
    with open_worktree(project, cache) as worktree:
        if not request.dry_run:
            worktree.lock("dvtool undo")
        choice = choose(operations(project.layout), request.to)
        done: list[StepBack] = []
        applied: list[Applied] = []
        for number, step in enumerate(choice.steps):
            applying = Applying(worktree, link_types(project), reporter, now=request.now)
            stepper = Stepper(project, worktree, applying, reporter)
            newest_first = [each.operation for each in step if each.operation]
            ids = tuple(each.id for each in step)
            resumed = choice.resumed if number == 0 else None
            made = None
            try:
                stores = plan_stores(cache, newest_first, resumed=resumed is not None)
                if request.dry_run:
                    plan = stepper.plan(newest_first, force=request.force)
                    if not any(stores):
                        _check(plan, step)
                else:
                    with begin_undo(project, ids, resumed) as operation:
                        operation.prepare(summary=_summary(step))
                        if any(stores):
                            operation.record(lasting=AGAIN)
                            try:
                                bring_back(project, cache, stores, reporter, now=request.now)
                            except MissingData:
                                if not (stores.trash or stores.collections):
                                    operation.cancel()
                                raise
                        plan = stepper.plan(newest_first, force=request.force)
                        _check(plan, step)
                        stepper.tidy(plan)
                        if not plan.is_empty:
                            applied += stepper.execute(plan, operation, durable=is_durable(project))
                        made = operation.number
            except DvtoolError as error:
                if number == 0:
                    raise
                raise _stopped(error, done, step) from error
            done.append(_step_back(made, step, plan, stores))
            if request.dry_run and not plan.is_empty:
                # What comes before it is seen only when this one is taken back.
                break
    return UndoResult(
        tuple(done),
        tuple((view_of(each, ()), why_it_stays(each)) for each in choice.passed),
        request.dry_run,
        tuple(path for one in applied for path in one.plan.overwritten),
        _git_files(project, [edit for step in done if step.id is not None for edit in step.files]),
        tuple(_errors(applied)),
    )


def raise_for(result: UndoResult) -> None:
    """Raise the error that an undo ends with, if it left anything undone."""
    if len(result.errors) == 1:
        raise result.errors[0]
    if result.errors:
        raise DvtoolError(
            f"{len(result.errors):,} files could not be taken back",
            hint=result.errors[0].hint or "run `dvtool undo` again, and see `dvtool status`",
            causes=result.errors,
        )


def _summary(step: Sequence[Logged]) -> str:
    more = f" and {len(step) - _SHOWN:,} more" if len(step) > _SHOWN else ""
    return ", ".join(map(name_of, step[:_SHOWN])) + more


def _check(plan: StepPlan, step: Sequence[Logged]) -> None:
    if plan.missing:
        raise _not_here(plan.missing)
    if plan.conflicts:
        shown = ", ".join(f"{show(conflict.path)} ({conflict.why})" for conflict in plan.conflicts[:_SHOWN])
        more = f" and {len(plan.conflicts) - _SHOWN:,} more" if len(plan.conflicts) > _SHOWN else ""
        raise DvtoolError(
            f"operation {name_of(step[0])} was not taken back, so as not to lose what came after: {shown}{more}",
            path=plan.conflicts[0].path,
            hint="look at `dvtool status` and `git diff`; `dvtool undo --force` replaces them "
            "(`dvtool recover` has the bytes)",
        )


def _not_here(missing: Sequence[tuple[bytes, ObjectId]]) -> MissingData:
    shown = ", ".join(f"{show(path)} (blake3:{oid.hex()[:12]})" for path, oid in missing[:_SHOWN])
    more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
    return MissingData(
        f"nothing was taken back: the cache does not hold the bytes of {shown}{more}",
        path=missing[0][0],
        hint="if they were pushed, `dvtool fetch --all-commits` brings them; then run the same command again",
    )


def _stopped(error: DvtoolError, done: Sequence[StepBack], step: Sequence[Logged]) -> DvtoolError:
    back = ", ".join(str(view.id) for one in done for view in one.operations)
    error.message = f"{back} taken back, but not {step[0].id}: {error.message}"
    return error


def _step_back(made: int | None, step: Sequence[Logged], plan: StepPlan, stores: StoresPlan) -> StepBack:
    moved = tuple((move.source, move.target) for move in plan.moves)
    return StepBack(made, tuple(view_of(each, ()) for each in step), plan.files.edits, plan.plans, moved, stores)


def _git_files(project: Project, edits: Sequence[Edit]) -> tuple[bytes, ...]:
    """Those that stand there or that Git knows."""
    paths = {edit.path: edit.target is not None for edit in edits if edit.where == "project"}
    if project.git is None or not paths:
        return ()
    from dvtool.git.worktree import tracked

    layout = project.layout
    known = tracked(project.git, [layout.to_git(path) for path in paths])
    return tuple(sorted(path for path, is_there in paths.items() if is_there or layout.to_git(path) in known))


def _errors(applied: Sequence[Applied]) -> list[DvtoolError]:
    found = [problem.error for one in applied for problem in one.placed.problems]
    found += [
        MissingData(f"{show(path)}: blake3:{oid.hex()} is not in the cache", path=path)
        for one in applied
        for path, oid in one.placed.missing
    ]
    return found

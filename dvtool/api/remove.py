"""Ending the tracking of paths; with ``outs`` the data goes too."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass

from dvtool.api.checkout import note_plans
from dvtool.errors import DvtoolError
from dvtool.errors import UsageError
from dvtool.formats.oplog import Row
from dvtool.model.paths import DEFINITION_NAME
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.open import Project
from dvtool.project.oplog import Recorder
from dvtool.project.oplog import begin
from dvtool.project.outputs import refused
from dvtool.project.parts import find_files
from dvtool.project.parts import is_durable
from dvtool.project.parts import link_types
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_tracked
from dvtool.project.parts import open_worktree
from dvtool.project.parts import relative_path
from dvtool.project.parts import relative_paths
from dvtool.project.recording import unrecord_pointers
from dvtool.workspace.applying import Applied
from dvtool.workspace.applying import Applying
from dvtool.workspace.pointers import OwnFiles
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.worktree import Worktree


@dataclass(frozen=True, slots=True)
class RemoveRequest:
    """``targets``: tracked paths or their pointers, or stages. ``outs``: the data goes too; ``force``: changed files
    too, whose bytes are kept in the cache. ``now``: Unix seconds, for the record of those.
    """

    targets: tuple[bytes, ...]
    outs: bool = False
    force: bool = False
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class RemoveResult:
    """``paths`` are not tracked any more. ``kept``: untracked files inside them that were left.

    ``replaced_kept``: changed files that ``force`` removed; `recover` lists them. ``stages``: their addresses.
    """

    paths: tuple[bytes, ...]
    files_removed: int
    kept: tuple[bytes, ...]
    replaced_kept: tuple[bytes, ...]
    git_files: tuple[bytes, ...]
    stages: tuple[str, ...] = ()


def remove(project: Project, request: RemoveRequest, reporter: Reporter = SILENT) -> RemoveResult:
    """Take pointers and ignore lines away; data only on request and by Git's rule.

    Nothing at all is changed when a file holds changes of the user's own and ``force`` is not
    set. Raises `UsageError`, `DvtoolError` for such files, `StorageError`, `Locked`.
    """
    files = find_files(project)
    tracked = open_tracked(project, found=files)
    stages = _stages(project, files, tracked, request.targets)
    pointers = [
        _find(tracked, path)
        for path in relative_paths(project, tuple(each for each in request.targets if each not in stages))
    ]
    made = [item for item in tracked if item.stage and _is_of(item, stages.values())]
    items = [*pointers, *made]
    cache = open_cache(project)
    done: list[Applied] = []
    with open_worktree(project, cache) as worktree, begin(project, "remove") as operation:
        worktree.lock("dvtool remove")
        operation.prepare(bases=[Row(item.path, worktree.base(item.path), None) for item in items])
        if request.outs:
            done = _remove_data(project, worktree, operation, items, request, reporter)
        # Before the pointers go: a path that is known here and has no pointer is one that `checkout` clears away.
        for item in items:
            worktree.memo.drop_applied(item.path)
        worktree.memo.save()
        git_files = unrecord_pointers(project, pointers, durable=is_durable(project)) if pointers else ()
        if stages:
            from dvtool.project.definitions import remove_stages

            git_files = tuple(sorted({*git_files, *remove_stages(project, [*stages.values()])}))
        for item in items:
            worktree.memo.drop_below(item.path)
            worktree.memo.drop_file(item.path)
    return RemoveResult(
        tuple(item.path for item in items),
        sum(one.placed.removed for one in done),
        tuple(path for one in done for path in one.plan.kept),
        tuple(path for one in done for path in one.plan.overwritten),
        git_files,
        tuple(name if file == DEFINITION_NAME else f"{show(file)}:{name}" for file, name in stages.values()),
    )


def _stages(
    project: Project, files: OwnFiles, tracked: TrackedPaths, targets: Sequence[bytes]
) -> dict[bytes, tuple[bytes, str]]:
    """Those of *targets* that are no tracked paths but stages: definition and name of each."""
    if not files.definitions:
        return {}
    from dvtool.pipeline.edit import stage_names
    from dvtool.project.definitions import place_of_stage
    from dvtool.project.definitions import read_definition

    found = {}
    for target in targets:
        path = relative_path(project, target)
        if tracked.by_pointer().get(path) is None and tracked.owner(path) is None:
            file, name = place_of_stage(project, target.decode("utf-8", "surrogateescape"))
            text = read_definition(project, file) if file in files.definitions else None
            if text is not None and name in stage_names(text, show(file)):
                found[target] = file, name
    return found


def _is_of(item: Tracked, stages: Iterable[tuple[bytes, str]]) -> bool:
    from dvtool.pipeline.lockfile import lock_path

    return any(
        item.pointer_path == lock_path(file) and (item.stage == name or item.stage.startswith(f"{name}@"))
        for file, name in stages
    )


def _find(tracked: TrackedPaths, path: bytes) -> Tracked:
    item = tracked.by_pointer().get(path) or tracked.get(path)
    owner = item or tracked.owner(path)
    if owner is not None and owner.stage:
        raise refused(owner, path, "take it out of the stage in dvtool.yaml, then `dvtool repro`")
    if item is not None:
        return item
    if owner is not None:
        raise UsageError(
            f"{show(path)} is part of {show(owner.path)}, which is tracked as a whole",
            path=path,
            hint=f"to take it out, delete it, then `dvtool add {show(path)}`",
        )
    below = tracked.below(path)
    if below:
        hint = "name the tracked paths: dvtool remove " + " ".join(show(item.path) for item in below[:3])
        raise UsageError(f"{show(path) or 'this directory'} is not tracked itself", path=path, hint=hint)
    raise UsageError(f"{show(path)} is not tracked", path=path, hint="`dvtool status` and `dvtool list` show what is")


def _remove_data(
    project: Project,
    worktree: Worktree,
    operation: Recorder,
    items: Sequence[Tracked],
    request: RemoveRequest,
    reporter: Reporter,
) -> list[Applied]:
    applying = Applying(worktree, link_types(project), reporter, now=request.now)
    plans = []
    for item in items:
        if worktree.base(item.path) is None:
            worktree.set_base(item.path, item.as_entry)
        plans.append(applying.plan(item.path, None, item.path, force=request.force, relink=False))
    conflicts = [conflict for plan in plans for conflict in plan.conflicts]
    if conflicts:
        raise DvtoolError(
            "these hold changes of your own, so nothing was removed: "
            + ", ".join(f"{show(path)} ({why})" for path, why in conflicts[:3])
            + (f" and {len(conflicts) - 3} more" if len(conflicts) > 3 else ""),
            path=conflicts[0].path,
            hint="keep them with `dvtool add PATH`, or remove them with --force (`dvtool recover` gets them back)",
        )
    note_plans(worktree, operation, [(plan, None) for plan in plans])
    done = [applying.apply(plan, None) for plan in plans]
    problems = [problem for one in done for problem in one.placed.problems]
    if problems:
        causes = tuple(problem.error for problem in problems)
        raise DvtoolError("not all data could be removed, so it stays tracked", hint=causes[0].hint, causes=causes)
    return done

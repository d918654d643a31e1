"""Deciding what a merge left open: pointers and locks that both sides changed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

from dvtool.api.checkout import CheckoutRequest
from dvtool.api.checkout import CheckoutResult
from dvtool.api.checkout import checkout
from dvtool.api.checkout import raise_for as checkout_raise_for
from dvtool.disk.durable import write_file
from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.pointer import decode_pointer
from dvtool.git.ignoremerge import is_ignore_file
from dvtool.git.unmerged import continuation
from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.conflicts import Decisions
from dvtool.project.conflicts import OpenFile
from dvtool.project.conflicts import decided
from dvtool.project.conflicts import is_decided
from dvtool.project.conflicts import open_files
from dvtool.project.merging import Conflict
from dvtool.project.merging import Merging
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.oplog import current
from dvtool.project.oplog import file_changes
from dvtool.project.parts import is_durable
from dvtool.project.parts import open_worktree
from dvtool.project.parts import relative_path
from dvtool.project.recording import record_pointers
from dvtool.project.recording import unrecord_pointers
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import tracked_in


@dataclass(frozen=True, slots=True)
class ResolveRequest:
    """``side``: "ours" or "theirs", for the conflicts that ``targets`` mean: tracked paths, paths inside, directories
    above, pointers, or stages. Empty: nothing is decided, only what Git could not merge by itself is merged.
    ``now``: Unix seconds, for the record of what was replaced."""

    targets: tuple[bytes, ...] = ()
    side: str = ""
    dry_run: bool = False
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class NotMerged:
    """A pointer or lock that could not be merged, and why; ours stays."""

    path: bytes
    error: DvtoolError


@dataclass(frozen=True, slots=True)
class ResolveResult:
    """``merged``: files that Git had left as they were. ``decided``: conflicts that this call decided, ``left``: those
    that nobody has decided yet. ``settled``: files with nothing left, which Git knows now to be merged. ``checkout``:
    what changed in the worktree. ``next_step``: the command that goes on with what Git was doing; may be empty."""

    merged: tuple[bytes, ...] = ()
    decided: tuple[Conflict, ...] = ()
    left: tuple[Conflict, ...] = ()
    settled: tuple[bytes, ...] = ()
    not_merged: tuple[NotMerged, ...] = ()
    checkout: CheckoutResult | None = None
    next_step: str = ""


@dataclass(slots=True)
class _Decided:
    """One file after its conflicts were looked at. ``text``: what it is to hold, None where it goes."""

    file: OpenFile
    text: bytes | None
    chosen: list[Conflict]
    left: list[Conflict]
    was_merged: bool = False
    is_settled: bool = False

    @property
    def is_written(self) -> bool:
        return self.text != self.file.now


def resolve(project: Project, request: ResolveRequest, reporter: Reporter = SILENT) -> ResolveResult:
    """Merge what Git could not, decide what is asked for, and tell Git of every file in which nothing is left open.

    `raise_for` gives the error to end with. Raises `UsageError` for a target that no conflict is at, `FormatError`,
    `StorageError`, `Locked`.
    """
    if project.git is None:
        raise UsageError("there are no merges without Git", hint="this project was made with `dvtool init --no-scm`")
    with begin(project, "resolve") as operation:
        with open_worktree(project) as worktree:
            if not request.dry_run:
                worktree.lock("dvtool resolve")
            files = open_files(project)
            decisions = Decisions(project)
            with Merging(project, reporter) as merging:
                found, failed = _look(project, files, merging, decisions, request)
            if not request.dry_run:
                operation.prepare(summary=_summary(found))
                for one in found:
                    decisions.add(one.file, one.chosen)
                _write(project, found)
        result = ResolveResult(
            tuple(one.file.path for one in found if one.was_merged),
            tuple(conflict for one in found for conflict in one.chosen),
            tuple(conflict for one in found for conflict in one.left),
            tuple(one.file.path for one in found if one.is_settled),
            tuple(failed),
            next_step=continuation(project.git),
        )
        if request.dry_run:
            return result
        done = _bring(project, found, request, reporter)
    return replace(result, checkout=done)


def raise_for(result: ResolveResult, request: ResolveRequest) -> None:
    """Raise the error that it ends with: what was not merged, and what is open where nothing was decided."""
    if result.checkout is not None:
        checkout_raise_for(result.checkout, CheckoutRequest(allow_missing=True))
    if result.not_merged:
        causes = tuple(one.error for one in result.not_merged)
        if len(causes) == 1:
            raise causes[0]
        raise DvtoolError(f"{len(causes)} files could not be merged", hint=causes[0].hint, causes=causes)
    if result.left and not request.side:
        first = result.left[0]
        name = first.stage or show(first.path or first.source)
        many = "1 conflict is" if len(result.left) == 1 else f"{len(result.left):,} conflicts are"
        raise DvtoolError(
            f"{many} not decided yet",
            path=first.source,
            hint=f"dvtool resolve --ours {name}, or --theirs {name}"
            + (
                "; or `dvtool repro`, then `git add` the lock"
                if first.stage
                else "; or put a file of your own there and `dvtool add` it"
            ),
        )


def undecided(merging: Merging, file: OpenFile, decisions: Decisions) -> list[Conflict]:
    """What is open in a file that stands as it is. Raises what `Merging.merge` raises."""
    conflicts = merging.merge(file.path, file.sides).conflicts
    return [one for one in conflicts if not decisions.has(file, one) and not is_decided(merging, file, one)]


def _look(
    project: Project, files: Sequence[OpenFile], merging: Merging, decisions: Decisions, request: ResolveRequest
) -> tuple[list[_Decided], list[NotMerged]]:
    found: list[_Decided] = []
    failed: list[NotMerged] = []
    met: set[bytes] = set()
    for file in files:
        if is_ignore_file(file.path):
            found += _ignore_file(merging, file)
            continue
        try:
            merged = merging.merge(file.path, file.sides)
            chosen = [one for one in merged.conflicts if request.side and _is_meant(project, one, request.targets, met)]
            left = [
                one
                for one in merged.conflicts
                if one not in chosen and not decisions.has(file, one) and not is_decided(merging, file, one)
            ]
            # A file that is taken over by Git already is looked at again only where somebody asks for it.
            was_merged = file.is_unmerged and not file.is_staged
            text = merged.text if file.is_unmerged and (was_merged or chosen) else file.now
            was_merged = was_merged and text != file.now
            if chosen:
                text = decided(merging, file, text, [(one, request.side) for one in chosen])
        except DvtoolError as error:
            failed.append(NotMerged(file.path, error))
            # Until the listing can be had, ours can be worked with: both sides are in Git.
            if error is merging.unread and not file.is_readable and not file.is_staged:
                found.append(_Decided(file, file.sides.ours, [], []))
            continue
        if not file.is_staged or chosen:
            found.append(_Decided(file, text, chosen, left, was_merged, is_settled=not left))
    _refuse_unmet(request, project, met, failed)
    return found, failed


def _ignore_file(merging: Merging, file: OpenFile) -> list[_Decided]:
    """One that Git left with conflict markers. What it cannot be sure of is for its owner to edit."""
    if file.is_readable or file.sides.ours is None or file.sides.theirs is None:
        return []
    text = merging.merge(file.path, file.sides).text
    return [] if text is None else [_Decided(file, text, [], [], was_merged=True, is_settled=True)]


def _is_meant(project: Project, one: Conflict, targets: Sequence[bytes], met: set[bytes]) -> bool:
    is_met = False
    for target in targets:
        path = relative_path(project, target)
        names = {one.stage, one.stage.partition("@")[0]} if one.stage else set()
        if (
            path == one.source
            or os.fsdecode(target) in names
            or os.fsdecode(target) == f"{show(one.source)}:{one.stage}"
            or is_below(one.path or one.source, path)
        ):
            met.add(target)
            is_met = True
    return is_met


def _refuse_unmet(request: ResolveRequest, project: Project, met: set[bytes], failed: Sequence[NotMerged]) -> None:
    for target in request.targets:
        if target not in met and not failed:
            raise UsageError(
                f"there is no conflict at {show(target)}",
                path=relative_path(project, target),
                hint="dvtool resolve   # shows what there is",
            )


def _summary(found: Iterable[_Decided]) -> str:
    names = [show(one.file.path) for one in found]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _write(project: Project, found: Sequence[_Decided]) -> None:
    from dvtool.git.worktree import stage

    durable = is_durable(project)
    written = [one for one in found if one.is_written]
    pointers = [one for one in written if one.file.is_pointer]
    for one in written:
        if not one.file.is_pointer:
            _write_text(project, one, durable=durable)
    gone = [_tracked(one.file.path, one.file.now) for one in pointers if one.text is None and one.file.now is not None]
    # A pointer that one side took away is kept as it stands, but its data is no longer ignored.
    kept = [one for one in found if one.chosen and one.file.is_pointer and not one.is_written]
    stay = [_tracked(one.file.path, one.text) for one in (*pointers, *kept) if one.text is not None]
    git_files: set[bytes] = set()
    if gone:
        git_files |= set(unrecord_pointers(project, gone, durable=durable))
    if stay:
        git_files |= set(record_pointers(project, stay, durable=durable).git_files)
    settled = [one.file.path for one in found if one.is_settled]
    # The ignore files go with them, the pointers only once all of them is decided.
    beside = [path for path in git_files if path not in {one.file.path for one in found}]
    assert project.git is not None
    stage(project.git, [project.layout.to_git(path) for path in (*settled, *beside)])


def _tracked(path: bytes, text: bytes) -> Tracked:
    return Tracked(path, decode_pointer(text, show(path)))


def _write_text(project: Project, one: _Decided, *, durable: bool) -> None:
    full = os.path.join(project.root, one.file.path)
    operation = current()
    if operation is not None:
        from dvtool.project.runfiles import MOST_BYTES
        from dvtool.project.runfiles import too_large

        if len(one.text or b"") > MOST_BYTES:
            operation.record(lasting=too_large(one.file.path))
        else:
            operation.record(files=file_changes(project.layout, {full: one.text}))
    try:
        if one.text is None:
            os.unlink(full)
        else:
            write_file(full, one.text, durable=durable)
    except OSError as error:
        raise storage_error(error, "write", one.file.path) from error


def _bring(
    project: Project, found: Sequence[_Decided], request: ResolveRequest, reporter: Reporter
) -> CheckoutResult | None:
    """What was decided, into the worktree; what is not in the cache is for `pull`."""
    # The union is new to the worktree, also where the driver has made it and the pointer stays as it is.
    touched = [one for one in found if one.is_written or one.chosen or one.is_settled]
    if not touched:
        return None
    targets: dict[bytes, None] = {}
    for one in touched:
        if one.text is None:
            # The data of a pointer that is gone goes with everything else.
            targets.clear()
            break
        if one.file.is_lock:
            stages = {conflict.stage for conflict in one.chosen}
            is_whole = one.was_merged or one.is_settled
            items = [item for item in tracked_in(one.file.path, one.text, "") if is_whole or item.stage in stages]
        else:
            items = [_tracked(one.file.path, one.text)] if one.file.is_pointer else []
        targets.update(dict.fromkeys(os.path.join(project.root, item.path) for item in items))
    if not targets and all(one.text is not None for one in touched):
        return None
    what = CheckoutRequest(tuple(targets), allow_missing=True, now=request.now)
    try:
        return checkout(project, what, reporter)
    except MissingData as error:
        reporter.note(error.message)
        return None

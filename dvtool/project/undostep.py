"""Taking one step back: looked at whole before anything changes, then carried out."""

from __future__ import annotations

import os
from collections.abc import Container
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass

from dvtool.errors import MissingData
from dvtool.formats.oplog import Move
from dvtool.formats.oplog import Operation
from dvtool.formats.oplog import Place
from dvtool.formats.oplog import Row
from dvtool.formats.pack import TREE
from dvtool.model.digest import ObjectId
from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.project.open import Project
from dvtool.project.oplog import Recorder
from dvtool.project.parts import open_tracked
from dvtool.project.undofiles import FilesPlan
from dvtool.project.undofiles import as_changes
from dvtool.project.undofiles import merged_files
from dvtool.project.undofiles import plan_files
from dvtool.project.undofiles import write_files
from dvtool.store.treediff import EntryChange
from dvtool.workspace.applying import Applied
from dvtool.workspace.applying import Applying
from dvtool.workspace.checkoutplan import CheckoutPlan
from dvtool.workspace.checkoutplan import Conflict
from dvtool.workspace.moved import Spot
from dvtool.workspace.moved import follow
from dvtool.workspace.moved import move_data
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import pointer_path_of
from dvtool.workspace.reversal import as_plan
from dvtool.workspace.reversal import plan_reversal
from dvtool.workspace.reversal import summarized
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.worktree import Worktree


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What one step back does. ``missing``: bytes that the cache does not hold, by path.

    ``emptied``: directories that a move had made, and the topmost of them.

    ``conflicts``: what was changed since; it stops the step, unless forced.
    """

    operations: tuple[Operation, ...]
    files: FilesPlan
    bases: tuple[Row, ...]
    plans: tuple[CheckoutPlan, ...]
    places: tuple[Place, ...]
    moves: tuple[Move, ...]
    emptied: tuple[tuple[bytes, bytes], ...]
    missing: tuple[tuple[bytes, ObjectId], ...]
    conflicts: tuple[Conflict, ...]

    @property
    def is_empty(self) -> bool:
        """True when everything stands as it did before."""
        is_told = all(row.before == row.after for row in self.bases)
        return is_told and not (self.files.edits or self.plans or self.moves or self.emptied or self.conflicts)


class Stepper:
    """Steps back in one locked worktree."""

    def __init__(self, project: Project, worktree: Worktree, applying: Applying, reporter: Reporter) -> None:
        self._project = project
        self._worktree = worktree
        self._applying = applying
        self._reporter = reporter

    def plan(self, newest_first: Sequence[Operation], *, force: bool) -> StepPlan:
        """Decide; nothing is changed. Raises `MissingData`, `IntegrityError` for directories that cannot be read."""
        files = plan_files(self._project.layout, merged_files(newest_first))
        bases = _merged_bases(newest_first)
        look = self._applying.look({row.path for row in bases})
        places = [place for operation in newest_first for place in reversed(operation.places)]
        try:
            reversal = plan_reversal(places, look)
        except MissingData as error:
            names = ", ".join(dict.fromkeys(show(place.path) for place in places[:3]))
            raise MissingData(
                f"nothing was taken back: a listing that {names} had is needed: {error.message}",
                hint="if it was pushed, `dvtool fetch --all-commits` brings it; then run the same command again",
            ) from error
        changes = list(reversal.changes.values())
        if force:
            changes += reversal.in_the_way
        plans = []
        noted = []
        for top, target, below in _by_top(places, bases, changes):
            overwritten = tuple(
                conflict.path
                for conflict in reversal.conflicts
                if is_below(conflict.path, top) and any(change.path == conflict.path for change in below)
            )
            plans.append(as_plan(top, target, below, overwritten if force else ()))
            whole = [place for place in places if place.path == top]
            before, after = (whole[0].after, whole[-1].before) if whole else (None, None)
            noted.append(summarized(top, before, after, below, self._worktree.stored_page))
        conflicts = [*reversal.conflicts, *(Conflict(path, "changed since") for path in files.changed)]
        moves, blocked = self._plan_moves(newest_first)
        if force:
            conflicts = []
        return StepPlan(
            tuple(newest_first),
            files,
            tuple(row._replace(before=self._worktree.base(row.path), after=row.before) for row in bases),
            tuple(plans),
            tuple(noted),
            moves,
            tuple(self._made(newest_first)),
            tuple(self._missing(changes)),
            tuple(conflicts + blocked),
        )

    def tidy(self, step: StepPlan) -> None:
        """Delete what a killed command left beside the files of the step."""
        mine = [change.path for each in step.operations for change in each.files if change.where == "project"]
        self._applying.sweep([*mine, *(plan.path for plan in step.plans)])

    def execute(self, step: StepPlan, operation: Recorder, *, durable: bool) -> list[Applied]:
        """Note it, then do it. Killed on the way, the same undo goes on. Raises `StorageError`."""
        is_staged = any(each.is_staged for each in step.operations)
        if not operation.has_noted:
            operation.prepare(bases=step.bases, is_staged=is_staged)
            operation.record(files=as_changes(step.files.edits), places=step.places, moves=step.moves)
        layout = self._project.layout
        placed = {plan.path for plan in step.plans}
        late = [row for row in step.bases if row.path in placed or self._comes_back(row)]
        # A path that dvtool placed and that has no pointer is one that `checkout` clears away.
        self._set_bases(row for row in step.bases if row not in late)
        write_files(layout, (edit for edit in step.files.edits if edit.comes_first), durable=durable)
        untold = {path: self._worktree.base(path) for path in placed - {row.path for row in step.bases}}
        done = [self._applying.apply(plan, _item(plan)) for plan in step.plans]
        self._set_bases(Row(path, None, base) for path, base in untold.items())
        for move in step.moves:
            self._move_back(move, durable=durable)
        write_files(layout, (edit for edit in step.files.edits if not edit.comes_first), durable=durable)
        for directory, top in step.emptied:
            self._remove_empty(directory, top)
        whole = {one.plan.path for one in done if one.placed.is_complete}
        self._set_bases(row for row in late if row.path not in placed or row.path in whole)
        if is_staged and self._project.git is not None:
            self._stage(step)
        return done

    def _missing(self, changes: Iterable[EntryChange]) -> Iterable[tuple[bytes, ObjectId]]:
        cache = self._worktree.cache
        for path, _, wanted in changes:
            if wanted is None:
                continue
            if (wanted.kind == FILE and not cache.has_blob(wanted.raw)) or (
                wanted.kind == DIRECTORY and not cache.has_meta(wanted.raw, TREE)
            ):
                yield path, ObjectId(wanted.raw)

    def _plan_moves(self, newest_first: Sequence[Operation]) -> tuple[tuple[Move, ...], list[Conflict]]:
        moves = []
        blocked = []
        for operation in newest_first:
            for move in reversed(operation.moves):
                if self._worktree.stat(move.target) is None:
                    continue
                if self._worktree.stat(move.source) is not None:
                    blocked.append(Conflict(move.source, f"{show(move.target)} would go there"))
                    continue
                moves.append(Move(move.target, move.source, self._first_missing(split(move.source)[0])))
        return tuple(moves), blocked

    def _made(self, newest_first: Sequence[Operation]) -> Iterable[tuple[bytes, bytes]]:
        for operation in newest_first:
            for move in operation.moves:
                if move.made and self._worktree.stat(move.made) is not None:
                    yield split(move.target)[0], move.made

    def _first_missing(self, directory: bytes) -> bytes:
        made = b""
        while directory and self._worktree.stat(directory) is None:
            made, directory = directory, split(directory)[0]
        return made

    def _move_back(self, move: Move, *, durable: bool) -> None:
        worktree = self._worktree
        done = move_data(worktree, move.source, move.target, durable=durable)
        tracked = open_tracked(self._project)
        source, target = (Spot(path, tracked.owner(path), None) for path in (move.source, move.target))
        follow(worktree, worktree.snapshot(HashSink(), self._reporter), source, target, {}, done)

    def _remove_empty(self, directory: bytes, top: bytes) -> None:
        """Remove the directories that a move had made, as far as nothing is in them."""
        while top and is_below(directory, top):
            try:
                os.rmdir(os.path.join(self._worktree.root, directory))
            except OSError:
                return
            directory = split(directory)[0]

    def _comes_back(self, row: Row) -> bool:
        return row.after is not None and self._worktree.stat(pointer_path_of(row.path)) is None

    def _set_bases(self, rows: Iterable[Row]) -> None:
        for row in rows:
            if row.after is None:
                self._worktree.memo.drop_applied(row.path)
            else:
                self._worktree.set_base(row.path, row.after)
        self._worktree.memo.save()

    def _stage(self, step: StepPlan) -> None:
        from dvtool.git.worktree import stage

        git = self._project.git
        paths = [edit.path for edit in step.files.edits if edit.where == "project"]
        if git is not None and paths:
            stage(git, [self._project.layout.to_git(path) for path in paths])


def _merged_bases(newest_first: Iterable[Operation]) -> list[Row]:
    """One row a path: from before the oldest operation to after the newest."""
    found: dict[bytes, Row] = {}
    for operation in newest_first:
        for row in operation.bases:
            found[row.path] = row._replace(after=found.get(row.path, row).after)
    return list(found.values())


def _by_top(
    places: Iterable[Place], bases: Iterable[Row], changes: Iterable[EntryChange]
) -> Iterable[tuple[bytes, Entry | None, list[EntryChange]]]:
    """The changes of each tracked path, with what it held before; a path outside of all stands for itself."""
    targets = {row.path: row.before for row in bases}
    targets.update((place.path, None) for place in places if not _above(place.path, targets))
    found: dict[bytes, list[EntryChange]] = {}
    for change in changes:
        top = _above(change.path, targets)
        found.setdefault(top, []).append(change)
    for top in sorted(found):
        yield top, targets[top], found[top]


def _above(path: bytes, tops: Container[bytes]) -> bytes:
    """The path itself or the one above it that is in *tops*; empty for none."""
    while path and path not in tops:
        path = split(path)[0]
    return path


def _item(plan: CheckoutPlan) -> Tracked | None:
    """The pointer that a tracked path had when it held what is wanted now."""
    entry = plan.wanted
    if entry is None:
        return None
    kind = Kind.DIRECTORY if entry.kind == DIRECTORY else Kind.FILE
    pointer = Pointer(split(plan.path)[1], kind, entry.digest, entry.size, entry.files, entry.executable)
    return Tracked(pointer_path_of(plan.path), pointer)

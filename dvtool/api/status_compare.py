"""The comparing behind `status`: its modules are loaded when there is something to compare."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from collections.abc import Iterator

from dvtool.api.status import Difference
from dvtool.errors import MissingData
from dvtool.errors import UsageError
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import Entry
from dvtool.project.open import Project
from dvtool.project.parts import open_worktree
from dvtool.store.treediff import EntryChange
from dvtool.store.treediff import diff_entries
from dvtool.store.trees import GetPage
from dvtool.store.trees import lookup
from dvtool.store.trees import subtree
from dvtool.workspace.filereading import Counts
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.reconcile import Standing
from dvtool.workspace.reconcile import users_paths
from dvtool.workspace.selection import Selected
from dvtool.workspace.selection import wanted_entry
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.snapshot import Snapshot
from dvtool.workspace.worktree import Worktree

Changed = tuple[bytes, Tracked | None, Tracked | None]
"""Tracked path, what stands for it at ``HEAD``, what does now."""


def compare(
    project: Project,
    tracked: TrackedPaths,
    selected: Iterable[Selected],
    changed: Iterable[Changed],
    reporter: Reporter,
) -> tuple[list[Difference], list[Difference], list[Difference], Counts]:
    """The worktree against the pointers: what the user changed, what is not here; and *changed* in files."""
    workspace: list[Difference] = []
    missing: list[Difference] = []
    with open_worktree(project) as worktree:
        sink = HashSink()
        snapshot = worktree.snapshot(sink, reporter)
        reporter.begin("looking")
        for one in selected:
            mine, not_here = _workspace(worktree, snapshot, worktree.current_pages(sink), one)
            workspace += mine
            missing += not_here
        reporter.end()
        if missing:
            missing = [_with_reason(worktree, tracked, one) for one in missing]
        committed = [difference for one in changed for difference in _committed(worktree, one)]
        return workspace, missing, committed, snapshot.counts


def _workspace(
    worktree: Worktree, snapshot: Snapshot, get: GetPage, one: Selected
) -> tuple[list[Difference], list[Difference]]:
    """What the user changed at one path, and what of its pointer is not here, or not in this version."""
    item = one.item
    current = worktree.current(snapshot, one.path, is_top=not one.below)
    if current is None and not one.below:
        pointer = item.pointer
        return [], [Difference("missing", one.path, pointer.size, pointer.files)]
    try:
        wanted = wanted_entry(item, one.below, worktree.stored_page)
        if wanted is None and current is None:
            raise UsageError(f"{show(one.path)} is neither in the worktree nor in {item.source}")
        return _sorted_out(worktree, get, one, wanted, current)
    except MissingData:
        if current is None or one.below or current.raw == item.pointer.digest.raw:
            return [], []
        why = "the recorded listing is not in the cache"
        base = worktree.base(item.path)
        if base is not None:
            with contextlib.suppress(MissingData):  # the whole cache may be gone
                mine = list(differences(diff_entries(worktree.stored_page, base, get, current, one.path)))
                return mine, [Difference("outdated", one.path, current.size, current.files, why)]
        return [Difference("modified", one.path, current.size, current.files, why)], []


def _sorted_out(
    worktree: Worktree, get: GetPage, one: Selected, wanted: Entry | None, current: Entry | None
) -> tuple[list[Difference], list[Difference]]:
    base = worktree.base(one.item.path)
    is_known = base is not None
    if one.below:
        base = lookup(worktree.stored_page, subtree(base), one.below) if base and base.kind == DIRECTORY else None
    standing = Standing(wanted, current, base, is_known)
    users = users_paths(one.path, standing, worktree.stored_page, get)
    mine: list[EntryChange] = []
    others: list[Difference] = []
    absent_files = absent_bytes = 0
    for change in diff_entries(worktree.stored_page, wanted, get, current, one.path):
        old, new = change.old, change.new
        if one.item.stated is not None and old is None and new is not None and new.kind == DIRECTORY and not new.files:
            # DVC has no word for an empty directory.
            continue
        is_users = change.path in users if users is not None else is_known or new is not None
        if is_users:
            mine.append(change)
        elif new is None and old is not None:
            absent_files += 1
            absent_bytes += old.size
        else:
            others += differences([change], other_version=True)
    if absent_files:
        others.insert(0, Difference("missing", one.path, absent_bytes, absent_files))
    return list(differences(mine)), others


def _with_reason(worktree: Worktree, tracked: TrackedPaths, one: Difference) -> Difference:
    """With the word that it was dropped, and where it is, if so."""
    from dvtool.workspace.dropped import Dropped
    from dvtool.workspace.dropped import note_about

    owner = tracked.owner(one.path)
    if one.change != "missing" or owner is None:
        return one
    rows = [row for row in Dropped(worktree.state_dir).read() if row.oid == owner.pointer.digest.raw]
    note = note_about(rows, one.path, owner.pointer.digest.raw)
    if note is not None:
        return one._replace(why=note.words)
    inside = [row for row in rows if row.path.startswith(one.path + b"/") and worktree.stat(row.path) is None]
    if not inside:
        return one
    names = ", ".join(dict.fromkeys(name for row in inside for name in row.remotes))
    paths = ", ".join(show(row.path) for row in inside[:3]) + (f" and {len(inside) - 3} more" * (len(inside) > 3))
    return one._replace(why=f"dropped: {paths}, on {names}")


def differences(changes: Iterable[EntryChange], *, other_version: bool = False) -> Iterator[Difference]:
    """Changes in words. *other_version*: what stands there was placed by dvtool, for another pointer."""
    for path, old, new in changes:
        if other_version:
            side = new if new is not None else old
            yield Difference("outdated", path, side.size if side is not None else 0, why="of another version")
        elif new is None:
            yield Difference("deleted", path, old.size if old is not None else 0)
        elif old is None:
            yield Difference("added", path, new.size)
        else:
            why = "mode" if old._replace(executable=new.executable) == new else ""
            yield Difference("modified", path, new.size, why=why)


def _committed(worktree: Worktree, changed: Changed) -> Iterator[Difference]:
    _, old, new = changed
    before = None if old is None else old.as_entry
    after = None if new is None else new.as_entry
    path = (new or old).path  # type: ignore[union-attr]
    side = after or before
    if side is not None and (before is None or after is None):
        # One line, as Git has it for a new directory: a million would help nobody.
        yield Difference("deleted" if after is None else "added", path, side.size, side.files)
        return
    try:
        yield from differences(diff_entries(worktree.stored_page, before, worktree.stored_page, after, path))
    except MissingData:
        if side is not None:
            yield Difference("modified", path, side.size, side.files, "the listing is not in the cache")

"""What the operation log notes of data that is placed, and how that is taken back.

Only what the operation itself changed is looked at: everything else in the directory stays as it
stands. A file that was changed since is the user's own and is never overwritten.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.formats.oplog import Place
from dvtool.formats.oplog import Row
from dvtool.model.paths import split
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import Entry
from dvtool.store.treediff import EntryChange
from dvtool.store.treediff import diff_entries
from dvtool.store.trees import GetPage
from dvtool.store.trees import lookup
from dvtool.store.trees import subtree
from dvtool.workspace.checkoutplan import CheckoutPlan
from dvtool.workspace.checkoutplan import Conflict

IsLeftOver = Callable[[bytes, Entry, Entry | None], bool]


class Look(NamedTuple):
    """What stands in the worktree: an entry at a path, and where pages are read."""

    entry_at: Callable[[bytes], Entry | None]
    get_current: GetPage
    get_stored: GetPage
    is_left_over: IsLeftOver


@dataclass(slots=True)
class Reversal:
    """``changes``: from what stands now to what stood before, by path.

    ``conflicts`` need force; with it, ``in_the_way`` goes as well.
    """

    changes: dict[bytes, EntryChange] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    in_the_way: list[EntryChange] = field(default_factory=list)


def noted(plan: CheckoutPlan, get: GetPage) -> Place | None:
    """What the log notes of a plan that is about to be carried out; None where no content changes."""
    changes = [change for change in (*plan.create, *plan.replace, *plan.remove) if change.old != change.new]
    if plan.conflicts or not changes:
        return None
    stood = plan.stood
    if stood.is_exact:
        return Place(plan.path, stood.entry, plan.wanted)
    if not stood.is_known:
        return Place(plan.path, None, None, tuple(Row(*change) for change in changes))
    return summarized(plan.path, stood.entry, plan.wanted, changes, get)


def summarized(
    path: bytes, before: Entry | None, after: Entry | None, changes: Iterable[EntryChange], get: GetPage
) -> Place:
    """The shortest note of *changes*, most of which lie between *before* and *after*."""
    changes = list(changes)
    try:
        told = {change.path: (change.old, change.new) for change in diff_entries(get, before, get, after, path)}
        made = {
            change.path
            for change in changes
            if _is_directory(change.new) and change.old is None and _at(get, before, path, change.path) is None
        }
    except DvtoolError:
        return Place(path, None, None, tuple(Row(*change) for change in changes))
    rows = [
        Row(*change)
        for change in changes
        if change.path not in made and told.pop(change.path, None) != (change.old, change.new)
    ]
    whole = {row.path for row in rows if _is_directory(row.before) or _is_directory(row.after)}
    rows += [
        Row(other, new, new)
        for other, (_, new) in told.items()
        if other not in made and not _has_parent_in(other, made) and not _has_parent_in(other, whole)
    ]
    return Place(path, before, after, tuple(sorted(rows, key=lambda row: row.path)))


def plan_reversal(places: Sequence[Place], look: Look) -> Reversal:
    """How to take *places* back, the newest first. Raises `MissingData` or `IntegrityError` for pages that are gone."""
    result = Reversal()
    now: dict[bytes, Entry | None] = {}
    wanted: dict[bytes, Entry | None] = {}
    strangers: dict[bytes, EntryChange] = {}
    for place in places:
        standing = look.entry_at(place.path)
        if not now and standing is None and place.before is None and not place.rows:
            # Nothing came of it, as where a checkout was refused: what it was to place is not read.
            continue
        mine = {
            change.path: change
            for change in diff_entries(look.get_stored, place.after, look.get_current, standing, place.path)
        }
        strangers.update(
            (path, change) for path, change in mine.items() if change.old is None and not _is_directory(change.new)
        )
        for path, given, before, by_tree in _given_and_before(place, look.get_stored):
            now.setdefault(path, mine[path].new if path in mine else by_tree)
            here = wanted.get(path, now[path])
            if here == before:
                wanted.setdefault(path, here)
                continue
            if here is not None and here != given and not look.is_left_over(path, here, given):
                result.conflicts.append(Conflict(path, "changed since"))
            wanted[path] = before
    result.changes = {
        path: EntryChange(path, now[path], entry) for path, entry in sorted(wanted.items()) if now[path] != entry
    }
    for path in _in_the_way(result.changes, strangers.keys() - result.changes.keys()):
        result.conflicts.append(Conflict(path, "in the way of what stood there"))
        result.in_the_way.append(EntryChange(path, strangers[path].new, None))
    return result


def as_plan(
    path: bytes, wanted: Entry | None, changes: Iterable[EntryChange], overwritten: tuple[bytes, ...]
) -> CheckoutPlan:
    """A plan that carries *changes* out. *wanted*: what the tracked path held, so that its directories stay."""
    every = list(changes)
    return CheckoutPlan(
        path,
        wanted,
        create=tuple(change for change in every if change.old is None),
        replace=tuple(change for change in every if change.old is not None and change.new is not None),
        remove=tuple(change for change in every if change.new is None),
        overwritten=overwritten,
    )


class _Given(NamedTuple):
    """A path that the operation changed: what it was given, what was there before, what the noted tree has there."""

    path: bytes
    given: Entry | None
    before: Entry | None
    by_tree: Entry | None


def _given_and_before(place: Place, get: GetPage) -> Iterable[_Given]:
    rows = {row.path for row in place.rows}
    whole = {row.path for row in place.rows if _is_directory(row.before) or _is_directory(row.after)}
    for change in diff_entries(get, place.after, get, place.before, place.path):
        if change.path not in rows and not _has_parent_in(change.path, whole):
            yield _Given(*change, by_tree=change.old)
    for row in place.rows:
        for change in diff_entries(get, row.after, get, row.before, row.path):
            stated = _at(get, place.after, place.path, change.path)
            # As in a diff, a directory that holds something does not stand for itself.
            is_whole = stated is not None and stated.kind == DIRECTORY and stated.files
            yield _Given(*change, by_tree=None if is_whole else stated)


def _at(get: GetPage, entry: Entry | None, path: bytes, wanted: bytes) -> Entry | None:
    if entry is None or wanted == path:
        return entry
    return lookup(get, subtree(entry), wanted[len(path) + 1 :]) if entry.kind == DIRECTORY else None


def _is_directory(entry: Entry | None) -> bool:
    return entry is not None and entry.kind == DIRECTORY


def _has_parent_in(path: bytes, parents: set[bytes]) -> bool:
    while parents and path:
        path = split(path)[0]
        if path in parents:
            return True
    return False


def _in_the_way(changes: Mapping[bytes, EntryChange], left: set[bytes]) -> list[bytes]:
    """Files of the user's own where a directory is to be, or in a directory where a file is to be."""
    creates = {path for path, change in changes.items() if change.old is None and not _is_directory(change.new)}
    found = {path for path in left if _has_parent_in(path, creates)}
    for path in creates if left else ():
        above = split(path)[0]
        while above and above not in left:
            above = split(above)[0]
        found.update((above,) if above else ())
    return sorted(found)

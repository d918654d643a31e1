"""Deciding what a checkout does: a plan that can be printed, made without touching anything.

Git's rule for the user's files holds. Three states of each path decide: what stands there
now, what is wanted, and what dvtool itself recorded last (the base). A path whose present
state is the base's is tracked and may change; any other file is the user's own.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.model.paths import split
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.store.treediff import EntryChange
from dvtool.store.treediff import diff_entries
from dvtool.store.trees import GetPage


class Conflict(NamedTuple):
    """A path that stays as it is because its present bytes are the user's own."""

    path: bytes
    why: str


class Stood(NamedTuple):
    """What stood at a path before: ``entry`` says it all where ``is_exact``; else it is what dvtool
    had placed, the user's own changes aside, or nothing where that ``is_known`` to nobody.
    """

    entry: Entry | None = None
    is_exact: bool = False
    is_known: bool = False


UNKNOWN = Stood()


@dataclass(frozen=True, slots=True)
class CheckoutPlan:
    """What will happen at one path. Paths are relative to the root.

    ``create``: nothing stands there; a directory stands for all that it holds. ``replace`` and
    ``remove`` say what must stand there now. ``kept``: untracked files in nobody's way, which nobody touches.
    ``conflicts`` stop the whole plan unless it was made with *force*: then they are in
    ``overwritten``, to be stored before they go.
    """

    path: bytes
    wanted: Entry | None
    create: tuple[EntryChange, ...] = ()
    replace: tuple[EntryChange, ...] = ()
    remove: tuple[EntryChange, ...] = ()
    kept: tuple[bytes, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    overwritten: tuple[bytes, ...] = ()
    stood: Stood = UNKNOWN

    @property
    def is_empty(self) -> bool:
        return not (self.create or self.replace or self.remove)


class States(NamedTuple):
    """The three states at one path, and where their pages are read."""

    current: Entry | None
    base: Entry | None
    base_is_known: bool
    wanted: Entry | None
    get_current: GetPage
    get_stored: GetPage


def plan_checkout(
    path: bytes,
    states: States,
    *,
    force: bool,
    has_blob: Callable[[bytes], bool],
    is_left_over: Callable[[bytes, Entry, Entry | None], bool],
    relink: bool = False,
) -> CheckoutPlan:
    """Decide. ``is_left_over(path, current, wanted)`` tells what a checkout that was killed has placed.

    Raises `MissingData` or `IntegrityError` when the wanted directory's pages cannot be read.
    """
    current, wanted = states.current, states.wanted
    changes = list(diff_entries(states.get_current, current, states.get_stored, wanted, path, whole=True))
    protected = any(change.old is not None for change in changes)
    owned = _users_own(path, states) if protected and states.base_is_known else None
    create: list[EntryChange] = []
    replace: list[EntryChange] = []
    remove: list[EntryChange] = []
    kept: list[bytes] = []
    conflicts: list[Conflict] = []
    new_paths = {change.path for change in changes if change.old is None}
    for change in changes:
        old, new = change.old, change.new
        if old is None:
            create.append(change)
            continue
        why = _why_not(change, owned, has_blob)
        if why is not None and is_left_over(change.path, old, new):
            why = None
        if why is None:
            (remove if new is None else replace).append(change)
        elif new is None and not _was_tracked(change.path, owned) and not _is_at_or_below(change.path, new_paths):
            kept.append(change.path)
        else:
            conflicts.append(Conflict(change.path, why))
            if force:
                (remove if new is None else replace).append(change)
    if relink and current is not None and wanted is not None:
        replace += _same_files(states, path, {change.path for change in changes})
    overwritten = tuple(conflict.path for conflict in conflicts) if force else ()
    return CheckoutPlan(
        path,
        wanted,
        tuple(create),
        tuple(replace),
        tuple(remove),
        tuple(kept),
        () if force else tuple(conflicts),
        overwritten,
        _stood(states),
    )


def _stood(states: States) -> Stood:
    current, base = states.current, states.base
    is_exact = current is None or current.kind != DIRECTORY or (states.base_is_known and current == base)
    return Stood(current if is_exact else base, is_exact, states.base_is_known)


def _users_own(path: bytes, states: States) -> dict[bytes, EntryChange] | None:
    """What the user changed since dvtool last wrote here, by path; None when that cannot be known."""
    try:
        changes = diff_entries(states.get_stored, states.base, states.get_current, states.current, path)
        return {change.path: change for change in changes}
    except (MissingData, IntegrityError):
        return None


def _why_not(
    change: EntryChange, owned: dict[bytes, EntryChange] | None, has_blob: Callable[[bytes], bool]
) -> str | None:
    old = change.old
    if old is None or old.kind == DIRECTORY:
        return None
    if owned is not None and change.path in owned:
        return "modified" if owned[change.path].old is not None else "untracked"
    if old.kind == FILE and not has_blob(old.raw):
        return "its bytes are not in the cache" if owned is not None else "not known to the cache"
    # No store is asked for links: where nothing is known of this place, one is the user's own.
    return "not known to the cache" if old.kind == LINK and owned is None else None


def _is_at_or_below(path: bytes, places: set[bytes]) -> bool:
    """True for a file where a directory is to be, or in a directory where a file is to be."""
    while path:
        if path in places:
            return True
        path = split(path)[0]
    return False


def _was_tracked(path: bytes, owned: dict[bytes, EntryChange] | None) -> bool:
    if owned is None:
        return False
    mine = owned.get(path)
    return mine is None or mine.old is not None


def _same_files(states: States, path: bytes, changed: set[bytes]) -> Iterable[EntryChange]:
    for change in diff_entries(states.get_stored, None, states.get_stored, states.wanted, path):
        if change.path not in changed and change.new is not None and change.new.kind == FILE:
            yield EntryChange(change.path, change.new, change.new)

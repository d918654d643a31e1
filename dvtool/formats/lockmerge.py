"""Two versions of ``dvtool.lock`` brought together, stage by stage.

What one stage read and wrote belongs together: half of one run and half of another one would be a run that never was.
So a stage is taken from one side as a whole. Where both sides ran it, neither record may fit what was merged around
it: that is a conflict, and a run decides.
"""

from __future__ import annotations

from typing import NamedTuple

from dvtool.formats.lock import Lock
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import encode_block


class StageConflict(NamedTuple):
    """A stage that both sides recorded, each otherwise; None: that side has no such stage.

    ``claims``: the output that it has in common with another stage, which stands in the merged lock in its place.
    """

    name: str
    base: LockedStage | None
    ours: LockedStage | None
    theirs: LockedStage | None
    claims: bytes = b""

    @property
    def kept(self) -> LockedStage | None:
        """What the merged lock has: ours, or theirs where ours has no such stage any more."""
        if self.ours is not None or self.claims:
            return self.ours
        return self.theirs


class LockMerge(NamedTuple):
    """The stages of both sides, and those that are in conflict, by name."""

    lock: dict[str, LockedStage]
    conflicts: tuple[StageConflict, ...]


def merge_locks(base: Lock, ours: Lock, theirs: Lock) -> LockMerge:
    """Bring *ours* and *theirs* together; *base* is what both were made from, empty where there was none."""
    merged: dict[str, LockedStage] = {}
    conflicts: list[StageConflict] = []
    for name in sorted(base.keys() | ours.keys() | theirs.keys()):
        old, mine, other = base.get(name), ours.get(name), theirs.get(name)
        before, left, right = _text(old), _text(mine), _text(other)
        if right in (left, before):
            found = mine
        elif left == before:
            found = other
        elif mine is not None and other is not None and _without_storing(mine) == _without_storing(other):
            # How outputs are kept stands in dvtool.yaml, and the next run writes what it says there.
            found = mine if old is None or mine.storing != old.storing else other
        else:
            conflicts.append(StageConflict(name, old, mine, other))
            found = conflicts[-1].kept
        if found is not None:
            merged[name] = found
    conflicts += _claimed_twice(merged, ours, theirs)
    return LockMerge(merged, tuple(sorted(conflicts, key=lambda one: one.name)))


def _claimed_twice(merged: dict[str, LockedStage], ours: Lock, theirs: Lock) -> list[StageConflict]:
    """Each side gave another stage the same output: a lock in which both stood could not be read."""
    owners: dict[bytes, str] = {}
    clashes: list[StageConflict] = []
    for name in sorted(merged, key=lambda each: (each not in ours, each)):
        path = next((path for path in merged[name].outs if path in owners), None)
        if path is not None and name not in ours:
            del merged[name]
            clashes.append(StageConflict(name, None, None, theirs.get(name), path))
        else:
            owners.update(dict.fromkeys(merged[name].outs, name))
    return clashes


def _text(stage: LockedStage | None) -> str:
    """What is compared: a parameter that is no number equals nothing, itself included."""
    return "" if stage is None else encode_block("", stage)


def _without_storing(stage: LockedStage) -> str:
    return _text(stage._replace(storing={}))

"""What a collection on a remote is asked for, decides and has done."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.formats.index import IndexedPack
from dvtool.formats.records import Root
from dvtool.formats.records import RootRecord

DAY = 86_400.0
GRACE = 14 * DAY
"""Seconds from the day a pack is doomed until it may be deleted."""
_PACK_AGE = 7 * DAY
_RECORD_AGE = 30 * DAY


class Times(NamedTuple):
    """Seconds. Younger packs are never doomed, nor packs that a younger record names; older records of this
    repository may be released; doomed packs are deleted after the grace."""

    pack_age: float
    record_age: float
    grace: float
    expire_unknown: float | None = None
    """Records that this clone cannot judge are released when they are older; None: never."""


def times_for(grace: float = GRACE, expire_unknown: float | None = None) -> Times:
    """All times in proportion to *grace*."""
    scale = grace / GRACE
    return Times(_PACK_AGE * scale, _RECORD_AGE * scale, grace, expire_unknown)


class Selection(NamedTuple):
    """What this clone keeps. ``name`` says in words whose a root is, for messages.

    ``commits``: those that the keep rules select; ``known`` tells which of some commits this clone has.
    ``elsewhere``: names of roots that belong to another remote: what is absent here is not missing.
    """

    repository: str
    roots: dict[Root, str]
    commits: frozenset[str]
    known: Callable[[Collection[str]], set[str]]
    elsewhere: frozenset[str] = frozenset()


class CollectContext(NamedTuple):
    """``journal_dir`` as in `PushContext`. ``now``: Unix seconds by the caller's clock, for a dry run where the
    server's cannot be asked. ``jobs``: requests at once, 0 for what the remote bears well."""

    journal_dir: bytes
    now: float
    jobs: int = 0


@dataclass(frozen=True, slots=True)
class PackUse:
    """How much of a pack is needed: objects, and plain bytes of those with 40 for each in the table."""

    pack: IndexedPack
    objects: int
    weight: int
    live_objects: int
    live_weight: int


@dataclass(frozen=True, slots=True)
class ListedRecord:
    """A root record that is there; ``modified`` by the server's clock."""

    key: str
    record: RootRecord
    modified: float


class MissingObject(NamedTuple):
    """Something that a root needs and no pack holds. ``needed_by``: in words."""

    digest: bytes
    needed_by: str


class DeadObject(NamedTuple):
    """An object that nothing needs, in a pack that is doomed or deleted. ``kind`` as in the pack's table."""

    digest: bytes
    kind: int
    size: int
    pack: IndexedPack


@dataclass(frozen=True, slots=True)
class DoomPlan:
    """``whole``: packs with nothing live. ``rewrite``: packs whose live objects are copied first.

    ``records``: keys of the records that are released. ``bytes``: what goes when all is finished.
    """

    whole: tuple[IndexedPack, ...] = ()
    rewrite: tuple[IndexedPack, ...] = ()
    records: tuple[str, ...] = ()
    bytes: int = 0

    @property
    def nothing(self) -> bool:
        return not self.whole and not self.rewrite and not self.records


@dataclass(frozen=True, slots=True)
class FinishPlan:
    """``lists``: keys of dead lists whose grace is over. ``packs``: those of them that are there, with their sizes.

    ``live``: objects that lie in doomed packs alone and are copied first. ``bytes``: what goes, less the copies.
    """

    lists: tuple[str, ...] = ()
    packs: tuple[IndexedPack, ...] = ()
    live: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class CollectDone:
    """What a collection did. ``dead_list``: the key that `undo_collection` takes; empty when nothing was doomed.

    ``kept_back``: packs that stay because something in them could not be copied.
    """

    dead_list: str = ""
    doomed: DoomPlan = DoomPlan()
    finished: FinishPlan = FinishPlan()
    copied_objects: int = 0
    copied_bytes: int = 0
    kept_back: tuple[str, ...] = ()

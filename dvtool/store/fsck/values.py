"""What a check of a store finds: frozen values, the same for the cache and for remotes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from enum import Enum

from dvtool.model.digest import ObjectId

PATHS_KEPT = 1_000
"""So many affected paths a finding names; the rest is counted."""


class Severity(Enum):
    """How bad it is. ``damage``: bytes are not what their name says; ``note``: costs nothing but room or time."""

    DAMAGE = "damage"
    MISSING = "missing"
    NOTE = "note"


class Kind(Enum):
    """What was found."""

    STORE_FILE = "store-file"
    PACK = "pack"
    LOOSE = "loose"
    TREE = "tree"
    INDEX = "index"
    ROOTS = "roots"
    DEAD = "dead"
    MISSING = "missing"
    LOST_PACK = "lost-pack"
    UNKEPT = "unkept"
    DROPPED = "dropped"
    LEFTOVER = "leftover"
    QUARANTINE = "quarantine"
    WRITABLE = "writable"
    STRAY = "stray"
    MEMO = "memo"
    RUNS = "runs"


_MISSING = frozenset({Kind.MISSING})
_NOTES = frozenset(
    {
        Kind.LOST_PACK,
        Kind.UNKEPT,
        Kind.DROPPED,
        Kind.LEFTOVER,
        Kind.QUARANTINE,
        Kind.WRITABLE,
        Kind.STRAY,
        Kind.MEMO,
        Kind.RUNS,
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    ``store``: the name of a remote, empty for the cache. ``place``: a path below the cache, a key of the
    remote, or for what is missing the tracked path. ``paths``: what of the workspace cannot be had because of
    it, at most `PATHS_KEPT`; ``affected`` counts all of them. ``fix``: what to run next.
    """

    kind: Kind
    store: str
    place: bytes
    why: str
    digest: ObjectId | None = None
    paths: tuple[bytes, ...] = ()
    affected: int = 0
    fix: str = ""

    @property
    def severity(self) -> Severity:
        if self.kind in _MISSING:
            return Severity.MISSING
        return Severity.NOTE if self.kind in _NOTES else Severity.DAMAGE


@dataclass(slots=True)
class Affected:
    """Paths that something makes unreadable: the first ones, and how many."""

    paths: list[bytes] = field(default_factory=list)
    count: int = 0
    digest: ObjectId | None = None

    def add(self, path: bytes, oid: ObjectId) -> None:
        """One more."""
        self.count += 1
        self.digest = self.digest or oid
        if len(self.paths) < PATHS_KEPT:
            self.paths.append(path)


@dataclass(slots=True)
class Counts:
    """How much was looked at. ``bytes_hashed``: bytes of packs and loose files that were read whole."""

    packs: int = 0
    objects: int = 0
    loose: int = 0
    indexes: int = 0
    files_read: int = 0
    bytes_hashed: int = 0
    paths: int = 0


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What was found in one store (a remote's name, empty for the cache), and how much was looked at."""

    store: str
    findings: tuple[Finding, ...]
    counts: Counts


def many(number: int, noun: str) -> str:
    """``1 pack``, ``2,000 packs``"""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def worst(findings: Iterable[Finding]) -> Severity | None:
    """The strongest severity among them; None when there is none."""
    found = {finding.severity for finding in findings}
    return next((each for each in Severity if each in found), None)

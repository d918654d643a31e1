"""A name for what a CI job keeps of the cache between runs."""

from __future__ import annotations

from dvtool.hashing.digests import object_id
from dvtool.project.history import tracked_at
from dvtool.project.open import Project
from dvtool.project.parts import open_tracked
from dvtool.project.parts import relative_paths
from dvtool.workspace.selection import select

PREFIX = "dvtool-1-"
_DIGITS = 32


def cache_key(project: Project, targets: tuple[bytes, ...] = (), rev: str | None = None) -> str:
    """The same for the same data, whatever its commit: worked out from pointers and locks alone.

    *targets*: for a job that needs no more. Raises `UsageError`, `FormatError`, `UnsafeInput`.
    """
    tracked = open_tracked(project) if rev is None else tracked_at(project, rev)
    selected = select(tracked, relative_paths(project, targets))
    lines = sorted({f"{one.item.pointer.digest} ".encode("ascii") + one.below for one in selected})
    return PREFIX + object_id(b"\0".join(lines)).hex()[:_DIGITS]

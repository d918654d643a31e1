"""Patterns of dependencies: ``*``, ``?`` and ``[...]`` within a name, ``**`` for any number of directories."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

_WILD = re.compile(rb"[*?\[]")


def static_prefix(pattern: bytes) -> bytes:
    """The directory that everything that matches lies in; empty for the root."""
    names = pattern.split(b"/")
    fixed: list[bytes] = []
    for name in names[:-1]:
        if _WILD.search(name):
            break
        fixed.append(name)
    return b"/".join(fixed)


def matches(pattern: bytes, path: bytes) -> bool:
    """Whether all of *path* matches; both are relative, with ``/``. Hidden names match like others."""
    wanted, names = pattern.split(b"/"), path.split(b"/")
    at = name_at = 0
    # Where to go on when a name does not fit: behind the last `**`, which then takes one name more.
    retry: tuple[int, int] | None = None
    while name_at < len(names):
        if at < len(wanted) and wanted[at] == b"**":
            at += 1
            retry = at, name_at
        elif at < len(wanted) and fnmatchcase(names[name_at], wanted[at]):
            at, name_at = at + 1, name_at + 1
        elif retry is not None:
            at, name_at = retry[0], retry[1] + 1
            retry = at, name_at
        else:
            return False
    return all(name == b"**" for name in wanted[at:])


def may_match_below(pattern: bytes, path: bytes) -> bool:
    """Whether *path*, or something below it if it is a directory, or something above it, could match."""
    wanted = pattern.split(b"/")
    for at, name in enumerate(path.split(b"/")):
        if at == len(wanted) or wanted[at] == b"**":
            return True
        if not fnmatchcase(name, wanted[at]):
            return False
    return True

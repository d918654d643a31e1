"""Two versions of an ignore file brought together: tracking something is a line in it, at the same place on each side.

Where Git's own merge finds no conflict, its result stands. A conflict of nothing but plain patterns is none: each
stands for itself, so what one side took away goes, and what one side added comes in.
"""

from __future__ import annotations

from typing import NamedTuple

from dvtool.git.run import GitRepo

NAME = b".gitignore"
_NOT_PLAIN = (b"!", b"#")


class Lines(NamedTuple):
    """What Git's own merge gives, with markers in it where there are ``conflicts``."""

    text: bytes
    conflicts: bool


def merge_lines(repo: GitRepo, ours: bytes, base: bytes, theirs: bytes) -> Lines:
    """Three files, given by absolute paths, merged line by line."""
    labels = [word for name in ("ours", "base", "theirs") for word in ("-L", name)]
    output = repo.run("merge-file", "-p", *labels, ours, base, theirs, expect=range(128))
    return Lines(output.stdout, output.code > 0)


def is_ignore_file(path: bytes) -> bool:
    """Whether a file of that name is one."""
    return path.rpartition(b"/")[2] == NAME


def merge_patterns(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Both together; None where a line that was changed is no plain pattern, so that its place may matter."""
    before, mine, other = (text.splitlines() for text in (base, ours, theirs))
    changed = {*mine, *other, *before} - (set(mine) & set(other) & set(before))
    if any(line.startswith(_NOT_PLAIN) for line in changed):
        return None
    known = {*before}
    gone = known - {*other}
    kept = [line for line in mine if line not in gone or not line]
    # What is new goes behind the line that it follows on the other side, as far as that is here.
    behind: dict[bytes | None, list[bytes]] = {}
    here, above = {*kept}, None
    for line in other:
        if line and line not in known and line not in here:
            behind.setdefault(above, []).append(line)
            here.add(line)
        elif line in here:
            above = line
    merged = []
    for line in kept:
        merged += [line, *behind.pop(line, ())]
    merged += behind.pop(None, [])
    return b"".join(line + b"\n" for line in merged)

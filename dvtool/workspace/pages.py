"""Directory pages while a snapshot makes them, and what the memo knows them by."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from xxhash import xxh3_128_digest

from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.state.memo import MemoPage
from dvtool.workspace.filereading import SIGNATURE_BYTES

DIRECTORY_MODE = 0o040000
_FOUR = struct.Struct("<4q")
_FIVE = struct.Struct("<5q")


@dataclass(slots=True)
class DirectoryInWork:
    """A directory whose tree is being made. ``refs``: its leaf pages, None for one not yet known."""

    path: bytes
    parent: DirectoryInWork | None
    known: dict[bytes, MemoPage]
    refs: list[PageRef | None] = field(default_factory=list)
    leftovers: Sequence[bytes] = ()
    tree: TreeRef | None = None

    @property
    def is_settled(self) -> bool:
        """True when nobody waits for its pages any more."""
        return self.tree is not None or (self.parent is not None and self.parent.is_settled)


@dataclass(slots=True)
class PageInWork:
    """One page of a directory. ``live``: its packed signatures; those of directories below come last."""

    directory: DirectoryInWork
    slot: int
    names: Sequence[bytes]
    last_name: bytes
    live: bytearray
    below: dict[int, DirectoryInWork]
    stale: Sequence[bytes]
    entries: list[Entry | None] | None = None
    unread: list[int] = field(default_factory=list)
    ticket: int | None = None

    def signature(self, number: int) -> bytes:
        return bytes(self.live[number * SIGNATURE_BYTES : (number + 1) * SIGNATURE_BYTES])

    def set_signature(self, number: int, signature: bytes) -> None:
        self.live[number * SIGNATURE_BYTES : (number + 1) * SIGNATURE_BYTES] = signature

    def set_trees(self) -> None:
        """Fill in what stands for the directories below, as far as their trees are known."""
        for number, child in self.below.items():
            if child.tree is not None:
                self.set_signature(number, directory_signature(child.tree.oid))


def overlapping(old: Sequence[bytes], names: Sequence[bytes]) -> Sequence[bytes]:
    """The pages seen last time, by their last names in order, that some of *names* may have been on."""
    if not names or old[:1] == [b""]:
        return old
    return old[bisect_left(old, names[0]) : bisect_left(old, names[-1]) + 1]


def directory_signature(oid: bytes) -> bytes:
    """What stands for a directory among the packed signatures of a page: its tree's address."""
    return _FIVE.pack(*_FOUR.unpack(oid), DIRECTORY_MODE)


def fingerprint(names: Sequence[bytes], signatures: bytes | bytearray) -> bytes:
    """What the memo compares: 128 bits over the names and the packed signatures of a page."""
    return xxh3_128_digest(b"\0".join((*names, b"", signatures)))

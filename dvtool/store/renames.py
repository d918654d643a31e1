"""Which of the added and deleted paths are one and the same content, moved.

Whole directories first, the largest first: a moved directory is recognized by its digest and
never read. What only one side has is opened, and what it holds takes part. Then single files.
Each path takes part in one move at most; among equal contents the likest names win.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.store.treecompare import UNREADABLE
from dvtool.store.trees import GetPage
from dvtool.store.trees import check_depth
from dvtool.store.trees import entries
from dvtool.store.trees import subtree

_MOST_PAIRS = 2_500
"""Up to so many pairs of equal content are compared by name, each with each."""

MOST_FILES = 500_000
"""Directories are opened up to so many files on each side, 1 kB of memory each; what is more stays whole."""

Placed = tuple[bytes, Entry]


class Moved(NamedTuple):
    """A file or a directory that stands elsewhere now; the mode of a file may have changed."""

    old_path: bytes
    new_path: bytes
    old: Entry
    new: Entry


@dataclass(slots=True)
class Sorted:
    """Added, deleted and moved paths, each sorted. Directories in them are empty, moved, unread or huge."""

    added: list[Placed] = field(default_factory=list)
    deleted: list[Placed] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    unread: list[tuple[bytes, DvtoolError]] = field(default_factory=list)


def find_renames(get_old: GetPage, deleted: Iterable[Placed], get_new: GetPage, added: Iterable[Placed]) -> Sorted:
    """Take moved contents out of *deleted* and *added*, and open the directories that did not move."""
    result = Sorted()
    sides = (_Side(get_old, deleted, result.unread), _Side(get_new, added, result.unread))
    _match_directories(sides, result.moved)
    result.deleted, result.added = _match_files(sides[0].leaves, sides[1].leaves, result.moved)
    result.added.sort()
    result.deleted.sort()
    result.moved.sort()
    result.unread.sort(key=lambda one: one[0])
    return result


class _Node:
    """A directory that only one side has at its path."""

    __slots__ = ("children", "entry", "error", "is_matched", "is_opened", "parent", "path")

    def __init__(self, path: bytes, entry: Entry, parent: _Node | None = None) -> None:
        self.path = path
        self.entry = entry
        self.parent = parent
        self.children: list[_Node] = []
        self.error: DvtoolError | None = None
        self.is_opened = False
        self.is_matched = False

    @property
    def key(self) -> tuple[int, int]:
        return (-self.entry.files, -self.entry.size)

    def is_free(self) -> bool:
        """True unless this directory, one around it or one in it has moved."""
        node: _Node | None = self
        while node is not None:
            if node.is_matched:
                return False
            node = node.parent
        return not any(child.is_taken() for child in self.children)

    def is_taken(self) -> bool:
        return self.is_matched or any(child.is_taken() for child in self.children)


class _Side:
    def __init__(self, get: GetPage, placed: Iterable[Placed], unread: list[tuple[bytes, DvtoolError]]) -> None:
        self._get = get
        files_left = MOST_FILES
        self._unread = unread
        self._heap: list[tuple[tuple[int, int], bytes, _Node]] = []
        self.leaves: list[Placed] = []
        self._held: dict[bytes, list[Placed]] = {}
        for path, entry in placed:
            if entry.kind == DIRECTORY and entry.files > files_left:
                self.leaves.append((path, entry))
                continue
            files_left -= entry.files
            self._take(path, entry)

    def _take(self, path: bytes, entry: Entry) -> None:
        if entry.kind == DIRECTORY and entry.files:
            node = _Node(path, entry)
            heapq.heappush(self._heap, (node.key, path, node))
        else:
            self.leaves.append((path, entry))

    @property
    def largest(self) -> tuple[int, int] | None:
        return self._heap[0][0] if self._heap else None

    def group(self, key: tuple[int, int]) -> list[_Node]:
        nodes = []
        while self._heap and self._heap[0][0] == key:
            nodes.append(heapq.heappop(self._heap)[2])
        return nodes

    def open(self, node: _Node) -> list[_Node]:
        """Read a directory. Gives the one in it, if any, that has the same totals and so belongs to the group.

        Raises `FormatError` for one too deep to be walked.
        """
        check_depth(node.path + b"/")
        node.is_opened = True
        held: list[Placed] = []
        self._held[node.path] = held
        try:
            for entry in entries(self._get, subtree(node.entry)):
                path = node.path + b"/" + entry.name
                if entry.kind == DIRECTORY and (-entry.files, -entry.size) == node.key:
                    node.children.append(_Node(path, entry, node))
                else:
                    held.append((path, entry))
        except UNREADABLE as error:
            node.error = error
            node.children.clear()
            held.clear()
        return node.children

    def release(self, nodes: Iterable[_Node]) -> None:
        """What did not move falls apart into what it holds."""
        for node in nodes:
            held = self._held.pop(node.path, ())
            if node.is_matched:
                continue
            if node.error is not None:
                self._unread.append((node.path, node.error))
                self.leaves.append((node.path, node.entry))
            else:
                for path, entry in held:
                    self._take(path, entry)
                self.release(node.children)


def _match_directories(sides: tuple[_Side, _Side], moved: list[Moved]) -> None:
    old, new = sides
    while keys := [key for key in (old.largest, new.largest) if key is not None]:
        key = min(keys)
        groups = (old.group(key), new.group(key))
        alive = (list(groups[0]), list(groups[1]))
        while True:
            moved += _match_nodes(*alive)
            opened = False
            for side, nodes in zip(sides, alive):
                for node in [node for node in nodes if not node.is_opened and node.is_free()]:
                    nodes.extend(side.open(node))
                    opened = True
            if not opened:
                break
        old.release(groups[0])
        new.release(groups[1])


def _match_nodes(old: list[_Node], new: list[_Node]) -> Iterator[Moved]:
    if not old or not new:
        return
    before = {node.path: node for node in old if node.is_free()}
    after = {node.path: node for node in new if node.is_free()}
    for a, b in _pairs(before, after, lambda path: before[path].entry.raw, lambda path: after[path].entry.raw):
        one, other = before[a], after[b]
        if one.is_free() and other.is_free():
            one.is_matched = other.is_matched = True
            yield Moved(a, b, one.entry, other.entry)


def _match_files(deleted: list[Placed], added: list[Placed], moved: list[Moved]) -> tuple[list[Placed], list[Placed]]:
    if not deleted or not added:
        return deleted, added
    before = {path: entry for path, entry in deleted if not _is_directory(entry)}
    after = {path: entry for path, entry in added if not _is_directory(entry)}
    for a, b in list(_pairs(before, after, lambda path: _content(before[path], path), lambda p: _content(after[p], p))):
        moved.append(Moved(a, b, before.pop(a), after.pop(b)))
    return (
        [(path, entry) for path, entry in deleted if path in before or _is_directory(entry)],
        [(path, entry) for path, entry in added if path in after or _is_directory(entry)],
    )


def _is_directory(entry: Entry) -> bool:
    return entry.kind == DIRECTORY


def _content(entry: Entry, path: bytes) -> tuple[object, ...]:
    """What two paths must share to be one file, moved. Empty files and links say too little without their name."""
    if entry.kind == FILE and entry.size:
        return entry.algorithm, entry.raw
    return entry.kind, entry.target, _name(path)


def _pairs(
    old: Iterable[bytes], new: Iterable[bytes], key_old: Callable[[bytes], object], key_new: Callable[[bytes], object]
) -> Iterator[tuple[bytes, bytes]]:
    groups: dict[object, tuple[list[bytes], list[bytes]]] = {}
    for path in old:
        groups.setdefault(key_old(path), ([], []))[0].append(path)
    for path in new:
        if (group := groups.get(key_new(path))) is not None:
            group[1].append(path)
    for before, after in groups.values():
        if after:
            yield from _by_likeness(before, after)


def _by_likeness(old: list[bytes], new: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    if len(old) * len(new) <= _MOST_PAIRS:
        yield from _best(old, new)
        return
    by_name: dict[bytes, tuple[list[bytes], list[bytes]]] = defaultdict(lambda: ([], []))
    for side, paths in enumerate((old, new)):
        for path in paths:
            by_name[_name(path)][side].append(path)
    free_old, free_new = set(old), set(new)
    for before, after in by_name.values():
        small = len(before) * len(after) <= _MOST_PAIRS
        for a, b in _best(before, after) if small else zip(sorted(before), sorted(after)):
            free_old.discard(a)
            free_new.discard(b)
            yield a, b
    yield from zip(sorted(free_old), sorted(free_new))


def _best(old: list[bytes], new: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    if len(old) == len(new) == 1:
        yield old[0], new[0]
        return
    scored = sorted((_unlikeness(a, b), a, b) for a in old for b in new)
    free_old, free_new = set(old), set(new)
    for _, a, b in scored:
        if a in free_old and b in free_new:
            free_old.discard(a)
            free_new.discard(b)
            yield a, b


def _unlikeness(a: bytes, b: bytes) -> tuple[int, int, int]:
    """Sorts the likest first: by equal components at the end, at the start, then by equal ends of the name."""
    parts_a, parts_b = a.split(b"/"), b.split(b"/")
    from_end = _same(reversed(parts_a), reversed(parts_b))
    from_start = _same(parts_a, parts_b)
    name_a, name_b = parts_a[-1], parts_b[-1]
    ends = _same(name_a, name_b) + _same(reversed(name_a), reversed(name_b))
    return -from_end, -from_start, -ends


def _same(a: Iterable[object], b: Iterable[object]) -> int:
    count = 0
    for one, other in zip(a, b):
        if one != other:
            break
        count += 1
    return count


def _name(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]

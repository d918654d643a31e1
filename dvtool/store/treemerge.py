"""Two histories of one directory brought together: three trees in, one out, and the paths that both changed.

Only pages that differ are read. A directory that one side alone changed is taken as a whole, by its digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple

from dvtool.model.digest import ObjectId
from dvtool.model.paths import join
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry
from dvtool.store.renames import Placed
from dvtool.store.renames import find_renames
from dvtool.store.treecompare import TreeComparison
from dvtool.store.treediff import Pairs
from dvtool.store.treediff import differing
from dvtool.store.treeedit import edit_tree
from dvtool.store.treeedit import empty_tree
from dvtool.store.trees import GetPage
from dvtool.store.trees import PutPage
from dvtool.store.trees import check_depth
from dvtool.store.trees import lookup
from dvtool.store.trees import subtree

_Triple = tuple[ObjectId | None, ObjectId | None, ObjectId | None]


class TreeConflict(NamedTuple):
    """A path that both sides changed, each otherwise; None is nothing there."""

    path: bytes
    base: Entry | None
    ours: Entry | None
    theirs: Entry | None

    @property
    def kept(self) -> Entry | None:
        """What the merged tree has there: ours, or what theirs made of it where ours deleted it."""
        return self.ours if self.ours is not None else self.theirs


class TreeMerge(NamedTuple):
    """The directory with all that both sides did, and where that was not possible, sorted by path."""

    tree: TreeRef
    conflicts: tuple[TreeConflict, ...]


class EntryMerge(NamedTuple):
    """As `TreeMerge`, of a file or directory. A conflict with an empty path is about all of it."""

    entry: Entry
    conflicts: tuple[TreeConflict, ...]


def merge_entries(get: GetPage, put: PutPage, base: Entry | None, ours: Entry, theirs: Entry) -> EntryMerge:
    """As `merge_trees`, of what stands at one path in all three."""
    before, left, right = _tree(base), _tree(ours), _tree(theirs)
    if left is not None and right is not None and base not in (ours, theirs):
        merged = merge_trees(get, put, before, left, right)
        return EntryMerge(directory_entry(ours.name, merged.tree), merged.conflicts)
    merge = _Merge(get, put)
    entry = merge.entry(base, ours, theirs, b"")
    assert entry is not None
    return EntryMerge(entry, tuple(merge.conflicts))


def merge_trees(get: GetPage, put: PutPage, base: TreeRef | None, ours: TreeRef, theirs: TreeRef) -> TreeMerge:
    """Bring *ours* and *theirs* together; *base* is what both were made from, None where there was nothing.

    *get* also finds what *put* has just stored. A file that one side moved and the other one changed is found
    changed at its new place. Raises what *get* raises, `FormatError` and `UnsafeInput` for trees that nobody walks.
    """
    merge = _Merge(get, put)
    tree = merge.directories(base, ours, theirs, b"")
    left = merge.conflicts
    if any(_is_deletion(one) for one in left):
        tree, left = _follow_moves(get, put, (base, ours, theirs), tree, left)
    return TreeMerge(tree, tuple(sorted(left, key=lambda one: one.path)))


class _Merge:
    def __init__(self, get: GetPage, put: PutPage) -> None:
        self._get = get
        self._put = put
        self._pairs = Pairs()
        self._known: dict[_Triple, tuple[TreeRef, bytes, list[TreeConflict]]] = {}
        self.conflicts: list[TreeConflict] = []

    def directories(self, base: TreeRef | None, ours: TreeRef | None, theirs: TreeRef | None, path: bytes) -> TreeRef:
        """The merged directory; the conflicts in it are appended."""
        triple = (base and base.oid, ours and ours.oid, theirs and theirs.oid)
        if triple in self._known:
            tree, place, found = self._known[triple]
            self._pairs.require_few(path, ours, theirs, len(found))
            self.conflicts += [one._replace(path=path + one.path[len(place) :]) for one in found]
            return tree
        if path:
            check_depth(path + b"/")
        before = len(self.conflicts)
        rows = list(self._rows(base, ours, theirs))
        self._pairs.require_few(path, ours, theirs, len(rows))
        edits: dict[bytes, Entry | None] = {}
        for name, old, mine, other in rows:
            merged = self.entry(old, mine, other, join(path, name))
            if merged != mine:
                edits[name] = merged
        tree = edit_tree(self._get, self._put, ours or empty_tree(self._put), edits)
        self._known[triple] = (tree, path, self.conflicts[before:])
        return tree

    def _rows(
        self, base: TreeRef | None, ours: TreeRef | None, theirs: TreeRef | None
    ) -> Iterator[tuple[bytes, Entry | None, Entry | None, Entry | None]]:
        """Name, base, ours and theirs of what has to be looked at: what theirs changed."""
        if base is None:
            for name, mine, other in differing(self._get, ours, self._get, theirs):
                yield name, None, mine, other
            return
        changed = {name: after for name, _, after in differing(self._get, base, self._get, ours)}
        for name, old, other in differing(self._get, base, self._get, theirs):
            yield name, old, changed.get(name, old), other

    def entry(self, base: Entry | None, ours: Entry | None, theirs: Entry | None, path: bytes) -> Entry | None:
        """What stands at *path* then; a conflict is appended."""
        if theirs in (ours, base):
            return ours
        if ours == base:
            return theirs
        kinds = {entry.kind for entry in (ours, theirs) if entry is not None}
        if kinds == {DIRECTORY} and (base is None or base.kind == DIRECTORY or None not in (ours, theirs)):
            tree = self.directories(_tree(base), _tree(ours), _tree(theirs), path)
            if None in (ours, theirs) and tree.oid == empty_tree(self._put).oid:
                return None
            some = ours or theirs
            assert some is not None
            return some._replace(raw=tree.oid, size=tree.size, files=tree.files)
        if base is not None and ours is not None and theirs is not None and kinds == {FILE} == {base.kind}:
            merged = _file(base, ours, theirs)
            if merged is not None:
                return merged
        conflict = TreeConflict(path, base, ours, theirs)
        self.conflicts.append(conflict)
        return conflict.kept


def _file(base: Entry, ours: Entry, theirs: Entry) -> Entry | None:
    """Bytes of one side with the executable bit of the other."""
    if _bytes(ours) not in (_bytes(base), _bytes(theirs)) and _bytes(theirs) != _bytes(base):
        return None
    content = theirs if _bytes(ours) == _bytes(base) else ours
    executable = theirs.executable if ours.executable == base.executable else ours.executable
    return content._replace(executable=executable)


def _bytes(entry: Entry) -> tuple[int, bytes]:
    return entry.algorithm, entry.raw


def _tree(entry: Entry | None) -> TreeRef | None:
    return subtree(entry) if entry is not None and entry.kind == DIRECTORY else None


def _is_deletion(conflict: TreeConflict) -> bool:
    """One side deleted the file that the other one changed."""
    before, kept = conflict.base, conflict.kept
    is_one_sided = None in (conflict.ours, conflict.theirs)
    return is_one_sided and before is not None and kept is not None and DIRECTORY not in {before.kind, kept.kind}


def _follow_moves(
    get: GetPage,
    put: PutPage,
    sides: tuple[TreeRef | None, TreeRef, TreeRef],
    tree: TreeRef,
    conflicts: Sequence[TreeConflict],
) -> tuple[TreeRef, list[TreeConflict]]:
    """Where what looks deleted has only moved on that side, the other side's change moves along."""
    base, ours, theirs = sides
    edits: dict[bytes, Entry | None] = {}
    left = [one for one in conflicts if not _is_deletion(one)]
    for mover, editor, is_ours in ((ours, theirs, True), (theirs, ours, False)):
        gone = [one for one in conflicts if _is_deletion(one) and (one.ours if is_ours else one.theirs) is None]
        moves = _moves(get, base, mover) if gone and base is not None else _NO_MOVES
        for one in gone:
            place = moves.place_of(one)
            if place is None or place in edits or lookup(get, editor, place) is not None:
                left.append(one)
                continue
            there = lookup(get, mover, place)
            assert one.base is not None
            assert one.kept is not None
            assert there is not None
            moved = _file(one.base, there, one.kept) if {there.kind, one.kept.kind} == {FILE} else one.kept
            if moved is None:
                left.append(one)
                continue
            edits[one.path] = None
            edits[place] = moved
    tree = edit_tree(get, put, tree, edits)
    return edit_tree(get, put, tree, _emptied(get, tree, edits, ours, theirs)), left


def _emptied(
    get: GetPage, tree: TreeRef, edits: dict[bytes, Entry | None], ours: TreeRef, theirs: TreeRef
) -> dict[bytes, Entry | None]:
    """Directories that one side had removed and in which nothing is left now."""
    gone: dict[bytes, Entry | None] = {}
    for path, entry in edits.items():
        above = path.rpartition(b"/")[0] if entry is None else b""
        while above:
            found = lookup(get, tree, above)
            if found is None or found.kind != DIRECTORY or found.files:
                break
            if lookup(get, ours, above) is not None and lookup(get, theirs, above) is not None:
                break
            gone = {each: None for each in gone if not each.startswith(above + b"/")}
            gone[above] = None
            above = above.rpartition(b"/")[0]
    return gone


class _Moves:
    """Where files, and whole directories, stand now."""

    def __init__(self, places: dict[bytes, bytes]) -> None:
        self._places = places

    def place_of(self, conflict: TreeConflict) -> bytes | None:
        path, rest = conflict.path, b""
        while path:
            if path in self._places:
                return join(self._places[path], rest) if rest else self._places[path]
            path, _, name = path.rpartition(b"/")
            rest = join(name, rest) if rest else name
        return None


_NO_MOVES = _Moves({})


def _moves(get: GetPage, base: TreeRef, mover: TreeRef) -> _Moves:
    """What *mover* moved without changing it."""
    comparison = TreeComparison(get, get)
    deleted: list[Placed] = []
    added: list[Placed] = []
    for change in comparison.changes(directory_entry(b"", base), directory_entry(b"", mover), b""):
        path = change.path.removeprefix(b"/")
        if change.old is not None and change.new is None:
            deleted.append((path, change.old))
        elif change.new is not None and change.old is None:
            added.append((path, change.new))
    found = find_renames(get, deleted, get, added)
    return _Moves({one.old_path: one.new_path for one in found.moved})

"""What differs between two directories: pages that both have are never read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dvtool.errors import UnsafeInput
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.store.trees import GetPage
from dvtool.store.trees import check_depth
from dvtool.store.trees import leaf_entries
from dvtool.store.trees import leaf_refs
from dvtool.store.trees import subtree
from dvtool.store.trees import walk

MOST_AGAIN = 300_000
"""Changes in pairs of directories that were compared before, elsewhere: a few shared pages make any number of them."""


class EntryChange(NamedTuple):
    """One path that differs: ``old`` is None where it was added, ``new`` where it was taken away.

    Directories stand for themselves only where they come or go empty of files: the files and
    links below a directory are listed one by one.
    """

    path: bytes
    old: Entry | None
    new: Entry | None


def diff_entries(
    get_old: GetPage,
    old: Entry | None,
    get_new: GetPage,
    new: Entry | None,
    path: bytes,
    *,
    whole: bool = False,
) -> Iterator[EntryChange]:
    """Every difference from *old* to *new*, both standing at *path*; None is nothing there.

    With *whole*, a directory that comes new is one change, unread.
    """
    if old == new:
        return
    yield from _Diff(get_old, get_new, whole=whole).entries(old, new, path)


def diff_trees(
    get_old: GetPage, old: TreeRef | None, get_new: GetPage, new: TreeRef | None, prefix: bytes = b""
) -> Iterator[EntryChange]:
    """Every difference from *old* to *new*, in order of names; None is a directory that is not there."""
    return _Diff(get_old, get_new, whole=False).trees(old, new, prefix)


class _Diff:
    """Walks two directories side by side."""

    def __init__(self, get_old: GetPage, get_new: GetPage, *, whole: bool) -> None:
        self._get_old = get_old
        self._get_new = get_new
        self._whole_added = whole
        self._pairs = Pairs()

    def trees(self, old: TreeRef | None, new: TreeRef | None, prefix: bytes) -> Iterator[EntryChange]:
        check_depth(prefix)
        changes = differing(self._get_old, old, self._get_new, new)
        self._pairs.require_few(prefix[:-1], old, new, len(changes))
        for name, before, after in changes:
            yield from self.entries(before, after, prefix + name)

    def entries(self, old: Entry | None, new: Entry | None, path: bytes) -> Iterator[EntryChange]:
        old_tree = subtree(old) if old is not None and old.kind == DIRECTORY else None
        new_tree = subtree(new) if new is not None and new.kind == DIRECTORY else None
        if old_tree is not None and new_tree is not None:
            yield from self.trees(old_tree, new_tree, path + b"/")
            return
        if old_tree is not None:
            yield from _whole(self._get_old, old, old_tree, path, added=False)
            old = None
        if old is not None or (new is not None and new_tree is None):
            yield EntryChange(path, old, new if new_tree is None else None)
        if new_tree is not None and self._whole_added:
            yield EntryChange(path, None, new)
        elif new_tree is not None:
            yield from _whole(self._get_new, new, new_tree, path, added=True)


class Pairs:
    """Counts what one comparison finds in pairs of directories that it has met before."""

    def __init__(self) -> None:
        self._met: set[tuple[ObjectId | None, ObjectId | None]] = set()
        self._again = 0

    def require_few(self, path: bytes, old: TreeRef | None, new: TreeRef | None, changes: int) -> None:
        """Before what differs at *path* is looked at: raise `UnsafeInput` if the same was met too often."""
        pair = (old and old.oid, new and new.oid)
        if pair in self._met:
            self._again += changes
            if self._again > MOST_AGAIN:
                raise UnsafeInput(
                    f"{show(path)}: more than {MOST_AGAIN:,} changes that are the same in directory after directory",
                    path=path,
                    hint="see where the pointer comes from (`git log -p -- FILE`)",
                )
        self._met.add(pair)


def differing(
    get_old: GetPage, old: TreeRef | None, get_new: GetPage, new: TreeRef | None
) -> list[tuple[bytes, Entry | None, Entry | None]]:
    """The names in one directory whose entries differ, in order; what lies below them is not looked at."""
    if old is not None and new is not None and old.oid == new.oid:
        return []
    old_refs = [] if old is None else leaf_refs(get_old, old)
    new_refs = [] if new is None else leaf_refs(get_new, new)
    shared = {ref.raw for ref in old_refs} & {ref.raw for ref in new_refs}
    before = _load(get_old, old_refs, shared)
    after = _load(get_new, new_refs, shared)
    found = ((name, before.get(name), after.get(name)) for name in sorted(before.keys() | after.keys()))
    return [each for each in found if each[1] != each[2]]


def _load(get: GetPage, refs: list[PageRef], shared: set[bytes]) -> dict[bytes, Entry]:
    found: dict[bytes, Entry] = {}
    after = b""
    for ref in refs:
        if ref.raw not in shared:
            found.update((entry.name, entry) for entry in leaf_entries(get, ref, after))
        after = ref.last_name
    return found


def _whole(get: GetPage, entry: Entry | None, tree: TreeRef, path: bytes, *, added: bool) -> Iterator[EntryChange]:
    empty = True
    for below, child in walk(get, tree, path + b"/"):
        empty = False
        if child.kind != DIRECTORY or child.files == 0:
            yield EntryChange(below, None if added else child, child if added else None)
    if empty:
        yield EntryChange(path, None if added else entry, entry if added else None)

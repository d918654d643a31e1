"""What differs between two trees, in wholes: a directory that only one side has is one change, unread."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.store.treediff import EntryChange
from dvtool.store.trees import GetPage
from dvtool.store.trees import leaf_entries
from dvtool.store.trees import leaf_refs
from dvtool.store.trees import subtree

UNREADABLE = (MissingData, IntegrityError, StorageError)
"""What stops one directory from being read, and no other."""


class TreeComparison:
    """Compares entries; ``unread`` holds the directories that could not be read, with the error."""

    def __init__(self, get_old: GetPage, get_new: GetPage) -> None:
        self._get_old = get_old
        self._get_new = get_new
        self.unread: list[tuple[bytes, DvtoolError]] = []

    def changes(self, old: Entry | None, new: Entry | None, path: bytes) -> Iterator[EntryChange]:
        """Every difference from *old* to *new*, both standing at *path*, in order of names.

        A directory on both sides that cannot be read is one change by itself.
        """
        if old == new:
            return
        if old is None or new is None or DIRECTORY not in {old.kind, new.kind}:
            yield EntryChange(path, old, new)
        elif old.kind != new.kind:
            yield EntryChange(path, old, None)
            yield EntryChange(path, None, new)
        else:
            try:
                pairs = self._differing(subtree(old), subtree(new))
            except UNREADABLE as error:
                self.unread.append((path, error))
                yield EntryChange(path, old, new)
                return
            for name, before, after in pairs:
                yield from self.changes(before, after, path + b"/" + name)

    def _differing(self, old: TreeRef, new: TreeRef) -> list[tuple[bytes, Entry | None, Entry | None]]:
        if old.oid == new.oid:
            return []
        old_refs = leaf_refs(self._get_old, old)
        new_refs = leaf_refs(self._get_new, new)
        shared = {ref.raw for ref in old_refs} & {ref.raw for ref in new_refs}
        before = _load(self._get_old, old_refs, shared)
        after = _load(self._get_new, new_refs, shared)
        names = sorted(before.keys() | after.keys())
        found = [(name, before.get(name), after.get(name)) for name in names]
        return [each for each in found if each[1] != each[2]]


def _load(get: GetPage, refs: list[PageRef], shared: set[bytes]) -> dict[bytes, Entry]:
    return {entry.name: entry for ref in refs if ref.raw not in shared for entry in leaf_entries(get, ref)}

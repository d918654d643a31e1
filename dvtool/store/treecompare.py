"""What differs between two trees, in wholes: a directory that only one side has is one change, unread."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import Entry
from dvtool.store.treediff import EntryChange
from dvtool.store.treediff import Pairs
from dvtool.store.treediff import differing
from dvtool.store.trees import GetPage
from dvtool.store.trees import check_depth
from dvtool.store.trees import subtree

UNREADABLE = (MissingData, IntegrityError, StorageError)
"""What stops one directory from being read, and no other."""


class TreeComparison:
    """Compares entries; ``unread`` holds the directories that could not be read, with the error."""

    def __init__(self, get_old: GetPage, get_new: GetPage) -> None:
        self._get_old = get_old
        self._get_new = get_new
        self._pairs = Pairs()
        self.unread: list[tuple[bytes, DvtoolError]] = []

    def changes(self, old: Entry | None, new: Entry | None, path: bytes) -> Iterator[EntryChange]:
        """Every difference from *old* to *new*, both standing at *path*, in order of names.

        A directory on both sides that cannot be read is one change by itself. Raises `FormatError`
        for directories too deep to be walked, `UnsafeInput` for too many that are the same.
        """
        if old == new:
            return
        if old is None or new is None or DIRECTORY not in {old.kind, new.kind}:
            yield EntryChange(path, old, new)
        elif old.kind != new.kind:
            yield EntryChange(path, old, None)
            yield EntryChange(path, None, new)
        else:
            check_depth(path + b"/")
            try:
                pairs = differing(self._get_old, subtree(old), self._get_new, subtree(new))
            except UNREADABLE as error:
                self.unread.append((path, error))
                yield EntryChange(path, old, new)
                return
            self._pairs.require_few(path, subtree(old), subtree(new), len(pairs))
            for name, before, after in pairs:
                yield from self.changes(before, after, path + b"/" + name)

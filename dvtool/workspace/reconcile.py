"""What the user changed, told from what was never placed here or stems from another version.

Three states of a tracked path decide, as in a checkout: the pointer, what stands there now, and
what dvtool itself placed there last (the base). What the user changed is the way from base to
now. A file that the pointer names and that was never placed (a partial pull, another version of
the pointer) is not deleted: it is not here yet. Where the base is not known, nothing counts as deleted.
"""

from __future__ import annotations

from typing import NamedTuple

from dvtool.model.paths import join
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import Entry
from dvtool.model.tree import TreeRef
from dvtool.store.treediff import diff_entries
from dvtool.store.treediff import differing
from dvtool.store.treeedit import edit_tree
from dvtool.store.trees import GetPage
from dvtool.store.trees import PutPage
from dvtool.store.trees import lookup
from dvtool.store.trees import subtree


class Standing(NamedTuple):
    """The three states at one path. ``base`` counts only if ``base_is_known``."""

    pointer: Entry | None
    current: Entry | None
    base: Entry | None
    base_is_known: bool

    @property
    def is_plain(self) -> bool:
        """True when every difference between pointer and worktree is the user's."""
        return self.base_is_known and self.base == self.pointer


def users_paths(path: bytes, standing: Standing, get_stored: GetPage, get_current: GetPage) -> set[bytes] | None:
    """Paths at or below *path* that the user changed; None where every difference counts as such.

    Raises what the page readers raise.
    """
    if standing.is_plain or not standing.base_is_known:
        return None
    changes = diff_entries(get_stored, standing.base, get_current, standing.current, path)
    return {change.path for change in changes}


def reconciled(standing: Standing, get: GetPage, put: PutPage) -> Entry | None:
    """What to record at the path: the pointer's state with the user's changes, and nothing else changed.

    *get* reads pages of all three states. Raises what it raises.
    """
    pointer, current = standing.pointer, standing.current
    if pointer is None or current is None or standing.is_plain or pointer == current:
        return current
    if pointer.kind != DIRECTORY or current.kind != DIRECTORY:
        is_users = not standing.base_is_known or standing.base != current
        return current if is_users else pointer
    tree = subtree(pointer)
    edits = _Edits(get)
    if standing.base_is_known:
        base = standing.base
        edits.collect(subtree(base) if base is not None and base.kind == DIRECTORY else None, subtree(current), b"")
        changes = {path: new for path, (_, new) in edits.files.items()}
        emptied = edits.emptied
    else:
        edits.collect(tree, subtree(current), b"")
        changes = {path: new for path, (_, new) in edits.files.items() if new is not None or path in edits.displaced}
        emptied = []
    tree = edit_tree(get, put, tree, changes)
    tree = edit_tree(get, put, tree, {path: None for path in emptied if _is_empty(get, tree, path)})
    return pointer._replace(raw=tree.oid, size=tree.size, files=tree.files)


class _Edits:
    """Differences file by file: a directory on one side may hold more in the pointer than was ever here."""

    def __init__(self, get: GetPage) -> None:
        self._get = get
        self.files: dict[bytes, tuple[Entry | None, Entry | None]] = {}
        self.displaced: set[bytes] = set()
        """Files where a directory stands now."""
        self.emptied: list[bytes] = []
        """Directories that are no more, the deepest first."""

    def collect(self, old: TreeRef | None, new: TreeRef | None, prefix: bytes) -> None:
        for name, before, after in differing(self._get, old, self._get, new):
            path = join(prefix, name)
            below = _tree(before), _tree(after)
            if below == (None, None) or (after is not None and below[1] is None):
                self.files[path] = (before, after)
                continue
            if below[0] is None and before is not None:
                self.files[path] = (before, None)
                self.displaced.add(path)
            self.collect(*below, path)
            if after is None:
                self.emptied.append(path)
            elif after.files == 0:
                self.files.setdefault(path, (None, after))


def _tree(entry: Entry | None) -> TreeRef | None:
    return subtree(entry) if entry is not None and entry.kind == DIRECTORY else None


def _is_empty(get: GetPage, tree: TreeRef, path: bytes) -> bool:
    entry = lookup(get, tree, path)
    return entry is not None and entry.kind == DIRECTORY and entry.files == 0

"""Finding a digest in directories: each page is read once, however many directories share it."""

from __future__ import annotations

from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import UnsafeInput
from dvtool.model.paths import show
from dvtool.model.tree import BLAKE3_CODE
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import TreeRef
from dvtool.store.treecompare import UNREADABLE
from dvtool.store.trees import GetPage
from dvtool.store.trees import check_depth
from dvtool.store.trees import leaf_entries
from dvtool.store.trees import leaf_refs
from dvtool.store.trees import subtree


class Wanted(NamedTuple):
    """The first hexadecimal digits of a digest; *algorithm* is its number on disk, None for any."""

    digits: str
    algorithm: int | None = None

    def is_met_by(self, algorithm: int, raw: bytes) -> bool:
        """True when that digest begins so."""
        return self.algorithm in {None, algorithm} and raw.hex().startswith(self.digits)


class Hit(NamedTuple):
    """Where a digest stands, relative to the directory searched. ``kind``: that of an entry, or `PAGE`."""

    path: bytes
    kind: int
    algorithm: int
    raw: bytes
    size: int


MOST_HITS = 1_000_000
"""So many paths of one digest are told, some 700 bytes of memory each. Shared pages make any number of them."""
PAGE = 0
"""The digest is that of one of several pages of the directory at the hit's path."""


class TreeSearch:
    """Looks for one digest in many directories; ``unread`` holds those that could not be read."""

    def __init__(self, get: GetPage, wanted: Wanted) -> None:
        self._get = get
        self._is_met_by = wanted.is_met_by
        self._without: set[bytes] = set()
        self._pages_without: set[bytes] = set()
        self._found: dict[bytes, tuple[Hit, ...]] = {}
        self.unread: list[tuple[bytes, DvtoolError]] = []

    def hits(self, tree: TreeRef, path: bytes) -> tuple[Hit, ...]:
        """Everything below the directory that has the digest; *path* is only for ``unread`` and for errors.

        Raises `FormatError` for directories too deep to be walked, `UnsafeInput` for too many paths.
        """
        if tree.oid in self._without:
            return ()
        known = self._found.get(tree.oid)
        if known is None:
            try:
                known = tuple(self._search(tree, path))
            except UNREADABLE as error:
                self.unread.append((path, error))
                known = ()
            if known:
                self._found[tree.oid] = known
            else:
                self._without.add(tree.oid)
        return known

    def _search(self, tree: TreeRef, path: bytes) -> list[Hit]:
        check_depth(path + b"/")
        found: list[Hit] = []
        refs = leaf_refs(self._get, tree)
        for ref in refs:
            if ref.raw in self._pages_without:
                continue
            before = len(found)
            if len(refs) > 1 and self._is_met_by(BLAKE3_CODE, ref.raw):
                found.append(Hit(b"", PAGE, BLAKE3_CODE, ref.raw, ref.size))
            for entry in leaf_entries(self._get, ref):
                if entry.raw and self._is_met_by(entry.algorithm, entry.raw):
                    found.append(Hit(entry.name, entry.kind, entry.algorithm, entry.raw, entry.size))
                if entry.kind == DIRECTORY:
                    inner = self.hits(subtree(entry), path + b"/" + entry.name)
                    found += (hit._replace(path=_below(entry.name, hit.path)) for hit in inner)
                    require_few_hits(len(found), path)
            if len(found) == before:
                self._pages_without.add(ref.raw)
        return found


def _below(name: bytes, path: bytes) -> bytes:
    return name + b"/" + path if path else name


def require_few_hits(count: int, path: bytes) -> None:
    """Raise `UnsafeInput` if there are more than anybody reads. *path*: where they are."""
    if count > MOST_HITS:
        raise UnsafeInput(
            f"{show(path) or 'this project'} holds it at more than {MOST_HITS:,} paths",
            path=path,
            hint="`dvtool list -R --show-hash` lists directories, one at a time if they are so large",
        )

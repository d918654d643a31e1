"""What of a file or directory the cache does not hold."""

from __future__ import annotations

from typing import NamedTuple

from dvtool.errors import MissingData
from dvtool.formats.pack import TREE
from dvtool.model.digest import ObjectId
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import TreeRef
from dvtool.store.cache import Cache
from dvtool.store.trees import entries
from dvtool.store.trees import subtree


class Gap(NamedTuple):
    """Files and bytes that are not there. A directory whose listing is absent counts with all that it holds."""

    files: int = 0
    size: int = 0


def file_gap(cache: Cache, oid: ObjectId, size: int) -> Gap:
    """Of one file."""
    return Gap() if cache.has_blob(oid) else Gap(1, size)


def directory_gap(cache: Cache, tree: TreeRef) -> Gap:
    """Of a directory with all below it. Reads listings, no files. Raises `IntegrityError`, `StorageError`."""

    def get(oid: ObjectId) -> bytes:
        return cache.read_meta(oid, TREE)

    files = size = 0
    pending = [tree]
    while pending:
        directory = pending.pop()
        missing_files = missing_bytes = 0
        below = []
        try:
            for entry in entries(get, directory):
                if entry.kind == DIRECTORY:
                    below.append(subtree(entry))
                elif entry.kind == FILE and not cache.has_blob(entry.raw):
                    missing_files += 1
                    missing_bytes += entry.size
        except MissingData:
            # Some of its pages are here and some are not: what it holds is not known, so all of it counts.
            missing_files, missing_bytes, below = directory.files, directory.size, []
        files += missing_files
        size += missing_bytes
        pending += below
    return Gap(files, size)

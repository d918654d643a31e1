"""Tracked data in a cache, for tests that move it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from dvtool.formats.pack import TREE
from dvtool.formats.tree import encode_leaf
from dvtool.model.digest import ObjectId
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.model.tree import cut_pages
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.trees import entries
from dvtool.store.trees import join_pages
from dvtool.store.trees import subtree
from dvtool.store.trees import totals
from dvtool.store.trees import walk
from dvtool.transfer.types import Wanted

COMMIT = "c0" * 20
REPOSITORY = "0123456789abcdef"

Files = Mapping[str, Any]
"""Names to bytes or to further files."""


def content(name: object, size: int) -> bytes:
    """*size* bytes that depend on *name* and do not compress."""
    return hashlib.shake_128(repr(name).encode()).digest(size)


def many_files(count: int, size: int = 100) -> dict[str, bytes]:
    """*count* different files."""
    return {f"file-{number:06}": content(number, size) for number in range(count)}


def store_directory(cache: Cache, files: Files, path: bytes = b"data") -> Wanted:
    """Put a directory into the cache as `dvtool add` does."""
    with CacheWriter(cache, what="test") as writer:
        tree = _directory(writer, files)
        writer.commit()
    return Wanted(True, tree.oid, tree.size, tree.files, path)


def store_file(cache: Cache, data: bytes, path: bytes = b"file") -> Wanted:
    """Put one file into the cache as `dvtool add` does."""
    with CacheWriter(cache, what="test") as writer:
        oid = _blob(writer, data)
        writer.commit()
    return Wanted(False, oid, len(data), 1, path)


def _blob(writer: CacheWriter, data: bytes) -> ObjectId:
    if writer.is_small(len(data)):
        return writer.put_small(data)
    with writer.loose_temporary() as temporary:
        temporary.write(data)
        oid = temporary.digest()
        temporary.publish(oid)
    return oid


def _directory(writer: CacheWriter, files: Files) -> TreeRef:
    made: list[Entry] = []
    for name in sorted(files, key=os.fsencode):
        node = files[name]
        if isinstance(node, bytes):
            made.append(file_entry(os.fsencode(name), _blob(writer, node), len(node), False))
        else:
            made.append(directory_entry(os.fsencode(name), _directory(writer, node)))
    pages: list[PageRef] = []
    start = 0
    for end in cut_pages([entry.name for entry in made]):
        stretch = made[start:end]
        last = stretch[-1].name if stretch else b""
        pages.append(PageRef(last, writer.put_tree(encode_leaf(stretch)), *totals(stretch)))
        start = end
    return join_pages(pages, writer.put_tree)


def read_directory(cache: Cache, wanted: Wanted) -> dict[str, object]:
    """What the cache gives back for a directory, every byte verified by the cache."""
    cache.forget()
    tree = TreeRef(wanted.oid, wanted.size, wanted.files)
    oids = {entry.oid for _, entry in walk(lambda oid: cache.read_meta(oid, TREE), tree) if entry.kind == FILE}
    packed, other = cache.in_pack_order(oids)
    blobs: dict[bytes, object] = dict(cache.read_packed(packed))
    blobs.update((oid, cache.read_blob(oid)) for oid in other)
    return _read(cache, tree, blobs)


def _read(cache: Cache, tree: TreeRef, blobs: dict[bytes, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for entry in entries(lambda oid: cache.read_meta(oid, TREE), tree):
        name = os.fsdecode(entry.name)
        found[name] = _read(cache, subtree(entry), blobs) if entry.kind == DIRECTORY else blobs[entry.raw]
    return found


def remote_files(folder: str | os.PathLike[str]) -> dict[str, int]:
    """Every key of a directory remote with its size."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            found[os.path.relpath(path, folder)] = os.stat(path).st_size
    return found


def packs_of(folder: str | os.PathLike[str]) -> list[str]:
    """The keys of all packs of a directory remote."""
    return sorted(key for key in remote_files(folder) if key.startswith(("data/", "meta/")))


def damage(path: str | os.PathLike[str], at: int) -> None:
    """Flip one bit of a file, whatever its mode."""
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        file.seek(at, os.SEEK_SET if at >= 0 else os.SEEK_END)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes((byte[0] ^ 1,)))

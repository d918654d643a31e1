"""Two versions of a pointer brought together: what it stands for, and what else stands in it."""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

from dvtool.model.digest import Algorithm
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.store.treemerge import EntryMerge
from dvtool.store.treemerge import TreeConflict
from dvtool.store.treemerge import merge_entries
from dvtool.store.trees import GetPage
from dvtool.store.trees import PutPage

_CONTENT = ("kind", "digest", "size", "files", "executable")
_SOURCE = "source"
"""Where the bytes were imported from: another version of them is another source."""


class PointerMerge(NamedTuple):
    """``conflicts``: by path in the tracked one, the empty path is all of it. ``settings``: names of further lines that
    both sides changed otherwise; ours stand in ``pointer``."""

    pointer: Pointer
    conflicts: tuple[TreeConflict, ...]
    settings: tuple[str, ...]


def merge_pointers(get: GetPage, put: PutPage, base: Pointer | None, ours: Pointer, theirs: Pointer) -> PointerMerge:
    """Bring *ours* and *theirs* together. *get* and *put* as of `merge_entries`; raises what it raises."""
    found = _merged_entries(get, put, base, ours, theirs)
    merged = with_entry(ours, found.entry)
    values: dict[str, Any] = {}
    settings: list[str] = []
    whole = any(not one.path for one in found.conflicts)
    for name in Pointer._fields:
        if name in _CONTENT or (whole and name == _SOURCE):
            continue
        left, right = getattr(ours, name), getattr(theirs, name)
        before = Pointer._field_defaults.get(name) if base is None else getattr(base, name)
        if left != right and left == before:
            values[name] = right
        elif right not in (left, before):
            settings.append(name)
    return PointerMerge(merged._replace(**values), found.conflicts, tuple(settings))


def entry_of(pointer: Pointer) -> Entry:
    """What it stands for, as an entry of the directory above."""
    kind, algorithm, raw = pointer.kind, *pointer.digest
    if kind is Kind.DIRECTORY:
        return Entry(b"", DIRECTORY, False, algorithm.code, raw, pointer.size, pointer.files)
    return Entry(b"", FILE, pointer.executable, algorithm.code, raw, pointer.size)


def with_content(pointer: Pointer, other: Pointer) -> Pointer:
    """The same, standing for what *other* does, and imported from where that was."""
    return pointer._replace(**{name: getattr(other, name) for name in (*_CONTENT, _SOURCE)})


def with_entry(pointer: Pointer, entry: Entry) -> Pointer:
    """The same, standing for a file or directory."""
    kind = Kind.DIRECTORY if entry.kind == DIRECTORY else Kind.FILE
    return pointer._replace(
        kind=kind, digest=entry.digest, size=entry.size, files=entry.files, executable=entry.executable
    )


def _merged_entries(get: GetPage, put: PutPage, base: Pointer | None, ours: Pointer, theirs: Pointer) -> EntryMerge:
    before, left, right = None if base is None else entry_of(base), entry_of(ours), entry_of(theirs)
    sources = [None if one is None else one.source for one in (base, ours, theirs)]
    # Two imports of two commits make none of a third one. And a listing in another format cannot be read.
    is_whole = sources[2] not in sources[:2] and sources[1] != sources[0]
    is_whole = is_whole or any(_is_foreign(one) for one in (base, ours, theirs))
    if is_whole and right not in (left, before) and left != before:
        return EntryMerge(left, (TreeConflict(b"", before, left, right),))
    return merge_entries(get, put, before, left, right)


def _is_foreign(pointer: Pointer | None) -> bool:
    return pointer is not None and pointer.kind is Kind.DIRECTORY and pointer.digest.algorithm is not Algorithm.BLAKE3

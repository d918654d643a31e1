"""Directories that another tool's manifest states, as trees of ours: files known so far by BLAKE3, the others as they
are stated there."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from dvtool.formats.tree import encode_leaf
from dvtool.model.digest import ObjectId
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.model.tree import cut_pages
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.store.trees import PutPage
from dvtool.store.trees import check_depth
from dvtool.store.trees import join_pages
from dvtool.store.trees import totals


class StatedFile(NamedTuple):
    """A file of a manifest: its path in the directory and its digest there."""

    path: bytes
    stated: ObjectId


def stated_entry(name: bytes, stated: ObjectId, known: Mapping[ObjectId, tuple[ObjectId, int, bool]]) -> Entry:
    """The entry of a file; where its bytes are not known yet it has the stated digest, and no size."""
    if (found := known.get(stated)) is not None:
        return file_entry(name, *found)
    return Entry(name, FILE, False, stated[0], stated[1:], 0)


def build_tree(files: Iterable[tuple[bytes, Entry]], put: PutPage) -> TreeRef:
    """The directory of these (path, entry) pairs, each path once and none inside another's. Raises `FormatError`."""
    top: dict[bytes, object] = {}
    for path, entry in files:
        check_depth(path)
        folder = top
        *above, name = path.split(b"/")
        for part in above:
            folder = folder.setdefault(part, {})  # type: ignore[assignment]
        folder[name] = entry
    return _folder(top, put)


def _folder(content: Mapping[bytes, object], put: PutPage) -> TreeRef:
    entries: list[Entry] = []
    for name in sorted(content):
        found = content[name]
        if isinstance(found, Entry):
            entries.append(found._replace(name=name))
        else:
            assert isinstance(found, dict)
            entries.append(directory_entry(name, _folder(found, put)))
    return _pages(entries, put)


def _pages(entries: Sequence[Entry], put: PutPage) -> TreeRef:
    if not entries:
        return TreeRef(put(encode_leaf(())), 0, 0)
    names = [entry.name for entry in entries]
    refs: list[PageRef] = []
    start = 0
    for end in cut_pages(names):
        page = entries[start:end]
        refs.append(PageRef(names[end - 1], put(encode_leaf(page)), *totals(page)))
        start = end
    return join_pages(refs, put)

"""Changing a few entries of a stored directory by rewriting only the pages on their paths."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping

from dvtool.errors import UsageError
from dvtool.formats.tree import encode_leaf
from dvtool.model.paths import show
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import WIDE
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.model.tree import cut_pages
from dvtool.model.tree import directory_entry
from dvtool.model.tree import ends_page
from dvtool.store.trees import GetPage
from dvtool.store.trees import PutPage
from dvtool.store.trees import join_pages
from dvtool.store.trees import leaf_entries
from dvtool.store.trees import leaf_refs
from dvtool.store.trees import subtree
from dvtool.store.trees import totals

Changes = Mapping[bytes, Entry | None]
"""Path in a directory to the entry that shall stand there (its name counts), or None to take it away."""


def edit_tree(get: GetPage, put: PutPage, tree: TreeRef, changes: Changes) -> TreeRef:
    """The directory after *changes*. Gives the pages that a tree built from scratch would have.

    Missing parent directories are made; a file that is taken away makes room for one; taking away
    what is not there does nothing. Raises `UsageError` when a path leads through a file, and what
    *get* raises.
    """
    here: dict[bytes, Entry | None] = {}
    below: dict[bytes, dict[bytes, Entry | None]] = {}
    for path, entry in changes.items():
        name, _, rest = path.partition(b"/")
        if rest:
            below.setdefault(name, {})[rest] = entry
        else:
            here[name] = None if entry is None else entry._replace(name=name)
    if not here and not below:
        return tree
    refs = leaf_refs(get, tree)
    loaded: dict[int, list[Entry]] = {}
    last_names = [ref.last_name for ref in refs[:-1]]

    def page_of(name: bytes) -> tuple[int, list[Entry]]:
        number = bisect_left(last_names, name)
        if number not in loaded:
            loaded[number] = leaf_entries(get, refs[number])
        return number, loaded[number]

    for name, deeper in below.items():
        _, page = page_of(name)
        old = next((entry for entry in page if entry.name == name), None)
        if old is not None and old.kind != DIRECTORY and name in here:
            old = None
        if old is not None and old.kind != DIRECTORY:
            raise UsageError(f"{show(name)} is a file in the tracked directory, so nothing can stand below it")
        if old is None and all(entry is None for entry in deeper.values()):
            continue
        base = subtree(old) if old is not None else empty_tree(put)
        here[name] = directory_entry(name, edit_tree(get, put, base, deeper))
    for name, entry in here.items():
        number, page = page_of(name)
        kept = [old for old in page if old.name != name]
        if entry is not None:
            kept.insert(bisect_left([old.name for old in kept], name), entry)
        loaded[number] = kept
    return _write(get, put, refs, loaded, shrinking=None in here.values())


def empty_tree(put: PutPage) -> TreeRef:
    """A directory without entries."""
    return TreeRef(put(encode_leaf(())), 0, 0)


def _write(
    get: GetPage, put: PutPage, refs: list[PageRef], loaded: dict[int, list[Entry]], *, shrinking: bool
) -> TreeRef:
    small = len(refs) == 1 or (shrinking and len(refs) <= WIDE)
    if small:
        # Whether the directory still has more than one page depends on its number of entries: read them all.
        for number, ref in enumerate(refs):
            if number not in loaded:
                loaded[number] = leaf_entries(get, ref)
    if small and sum(map(len, loaded.values())) <= WIDE:
        everything = [entry for number in sorted(loaded) for entry in loaded[number]]
        page = encode_leaf(everything)
        return TreeRef(put(page), *totals(everything))
    pages: list[PageRef] = []
    carried: list[Entry] = []
    for number, ref in enumerate(refs):
        if number not in loaded and not carried:
            pages.append(ref)
            continue
        carried += loaded[number] if number in loaded else leaf_entries(get, ref)
        is_last = number == len(refs) - 1
        carried = _cut(put, carried, pages, is_last=is_last)
    return join_pages(pages, put)


def _cut(put: PutPage, entries: list[Entry], pages: list[PageRef], *, is_last: bool) -> list[Entry]:
    """Append the complete pages of *entries* to *pages*; return what belongs to a page that goes on."""
    names = [entry.name for entry in entries]
    start = 0
    for end in _ends(names):
        stretch = entries[start:end]
        complete = end < len(entries) or is_last or ends_page(names[end - 1], 0)
        if not complete:
            return stretch
        pages.append(PageRef(names[end - 1], put(encode_leaf(stretch)), *totals(stretch)))
        start = end
    return []


def _ends(names: list[bytes]) -> list[int]:
    return cut_pages(names, wide=True) if names else []

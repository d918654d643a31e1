from __future__ import annotations

import pytest

from dvtool.errors import FormatError
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.digest import is_adopted
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import file_entry
from dvtool.state.aliases import KnownFile
from dvtool.store.adopted import build_tree
from dvtool.store.adopted import stated_entry
from dvtool.store.treeedit import edit_tree
from dvtool.store.treeedit import empty_tree
from dvtool.store.trees import walk

STATED = ObjectId(bytes((2,)) + bytes(16))


def test_a_tree_of_paths_is_that_of_one_edit_after_the_other() -> None:
    pages: dict[ObjectId, bytes] = {}

    def put(page: bytes) -> ObjectId:
        oid = object_id(page)
        pages[oid] = page
        return oid

    names = [b"a", b"b/c", b"b/d/e", b"z", *(b"wide/%05d" % number for number in range(3_000))]
    entries = {name: file_entry(b"", object_id(name), len(name), name.endswith(b"7")) for name in names}
    built = build_tree(entries.items(), put)
    assert built == edit_tree(pages.__getitem__, put, empty_tree(put), entries)
    found = {path: entry for path, entry in walk(pages.__getitem__, built) if entry.kind != DIRECTORY}
    assert sorted(found) == sorted(names)


def test_no_files_are_an_empty_directory() -> None:
    assert build_tree((), object_id) == empty_tree(object_id)


def test_too_deep_is_refused() -> None:
    with pytest.raises(FormatError, match="deeper"):
        build_tree([(b"a/" * 5_000 + b"b", file_entry(b"", object_id(b""), 0, False))], object_id)


def test_what_is_not_known_stands_as_it_is_stated() -> None:
    entry = stated_entry(b"n", STATED, {})
    assert (entry.name, entry.oid, entry.size) == (b"n", STATED, 0)
    assert is_adopted(entry.oid)
    known = stated_entry(b"n", STATED, {STATED: KnownFile(object_id(b"x"), 1, True)})
    assert known == file_entry(b"n", object_id(b"x"), 1, True)

"""What nothing names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.formats.pack import RECIPE
from dvtool.formats.recipe import FASTCDC
from dvtool.formats.recipe import PIECE
from dvtool.formats.recipe import Piece
from dvtool.formats.recipe import Recipe
from dvtool.formats.recipe import encode_recipe
from dvtool.formats.tree import encode_leaf
from dvtool.hashing.digests import object_id
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.unnamed import Marks
from dvtool.store.unnamed import mark_below
from dvtool.store.unnamed import orphans


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(os.fsencode(tmp_path / "cache"))


def test_marks_hold_what_was_put_and_nothing_else() -> None:
    marks = Marks()
    oids = [object_id(b"%d" % number) for number in range(1000)]
    for oid in oids[::2] * 2:
        marks.add(oid)
    assert [oid in marks for oid in oids] == [True, False] * 500
    marks.add(oids[1])
    assert oids[1] in marks and oids[3] not in marks


def test_a_directory_stands_for_all_that_it_holds(cache: Cache) -> None:
    with CacheWriter(cache, what="test") as writer:
        inner = encode_leaf([file_entry(b"a", writer.put_small(b"1"), 1, executable=False)])
        inner_tree = TreeRef(writer.put_tree(inner), 1, 1)
        entries = [file_entry(b"b", writer.put_small(b"22"), 2, executable=False), directory_entry(b"in", inner_tree)]
        top = writer.put_tree(encode_leaf(entries))
        alone = writer.put_small(b"333")
        writer.commit()
    found = [(orphan.oid, orphan.is_directory, orphan.size, orphan.files) for orphan in orphans(cache, Marks())]
    assert found == [(top, True, 3, 2), (alone, False, 3, 1)]
    marks = Marks()
    mark_below(cache, [top], marks)
    assert [orphan.oid for orphan in orphans(cache, marks)] == [alone]
    marks = Marks()
    mark_below(cache, [inner_tree.oid], marks)
    marks.add(alone)
    assert [orphan.oid for orphan in orphans(cache, marks)] == [top]


def test_pieces_of_large_files_are_no_files(cache: Cache) -> None:
    blob = object_id(b"large")
    with CacheWriter(cache, what="test") as writer:
        piece = writer.put_small(b"piece")
        recipe = Recipe(blob, 5, FASTCDC, (Piece(piece, 5, PIECE),))
        writer.put_keyed(blob, RECIPE, encode_recipe(recipe))
        writer.commit()
    assert list(orphans(cache, Marks())) == []


def test_a_directory_whose_pages_are_damaged_does_not_stop_the_rest(cache: Cache) -> None:
    with CacheWriter(cache, what="test") as writer:
        file = writer.put_small(b"1")
        writer.put_tree(encode_leaf([file_entry(b"a", file, 1, executable=False)]))
        writer.commit()
    (pack,) = (path for path in Path(os.fsdecode(cache.root), "meta").rglob("*") if path.is_file())
    data = bytearray(pack.read_bytes())
    data[60] ^= 1
    pack.unlink()
    pack.write_bytes(data)
    assert [orphan.oid for orphan in orphans(Cache(cache.root), Marks())] == [file]

"""What remains of damaged packs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TREE
from dvtool.formats.recipe import FASTCDC
from dvtool.formats.recipe import PIECE
from dvtool.formats.recipe import Piece
from dvtool.formats.recipe import Recipe
from dvtool.formats.recipe import encode_recipe
from dvtool.formats.tree import encode_leaf
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.tree import file_entry
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.salvage import SetAside
from dvtool.store.salvage import set_aside_damage

BLOB = object_id(b"a large file")
RECIPE_BYTES = encode_recipe(Recipe(BLOB, 30, FASTCDC, (Piece(object_id(b"p"), 30, PIECE),)))
PAGE = encode_leaf([file_entry(b"f%d" % number, object_id(b"%d" % number), 1, executable=False) for number in range(9)])
SMALL = [os.urandom(3000) for _ in range(60)]


@pytest.fixture
def root(tmp_path: Path) -> bytes:
    """A cache with one data pack of several plain records, and one meta pack with a page and a recipe."""
    root = os.fsencode(tmp_path / "cache")
    with CacheWriter(Cache(root), what="test") as writer:
        for data in SMALL:
            writer.put_small(data)
        writer.put_tree(PAGE)
        writer.put_keyed(BLOB, RECIPE, RECIPE_BYTES)
        writer.commit()
    return root


def only(root: bytes, folder: str) -> Path:
    (path,) = (path for path in Path(os.fsdecode(root), folder).rglob("*") if path.is_file())
    return path


def change(path: Path, at: int, *, cut: bool = False) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.unlink()
    path.write_bytes(data[:at] if cut else data)


def salvage(root: bytes, path: Path) -> SetAside:
    (aside,) = set_aside_damage(Cache(root), [IntegrityError("suspected", path=path)], what="test")
    return aside


def readable(root: bytes) -> set[bytes]:
    cache = Cache(root)
    found = set()
    for data in SMALL:
        try:
            found.add(cache.read_blob(object_id(data)))
        except MissingData:
            continue
    return found


def test_of_a_plain_record_only_the_wrong_object_is_lost(root: bytes) -> None:
    path = only(root, "data")
    change(path, path.read_bytes().index(SMALL[30]) + 5)
    aside = salvage(root, path)
    assert (aside.saved, aside.lost) == (59, (object_id(SMALL[30]),))
    assert readable(root) == set(SMALL) - {SMALL[30]}


@pytest.mark.parametrize("place", ["header", "table", "footer"])
def test_damage_outside_of_the_records_costs_nothing(root: bytes, place: str) -> None:
    path = only(root, "data")
    change(path, {"header": 3, "table": path.stat().st_size - 1000, "footer": path.stat().st_size - 20}[place])
    aside = salvage(root, path)
    assert aside.saved == 60 and aside.lost == ()
    assert readable(root) == set(SMALL)
    assert Path(os.fsdecode(aside.moved_to)).parent.name == "quarantine"


def test_a_pack_that_was_cut_gives_what_came_before(root: bytes) -> None:
    path = only(root, "data")
    change(path, path.stat().st_size // 2, cut=True)
    aside = salvage(root, path)
    assert 0 < aside.saved < 60
    assert len(readable(root)) == aside.saved


def test_recipes_and_pages_are_kept_with_their_keys(root: bytes) -> None:
    path = only(root, "meta")
    change(path, 3)
    assert salvage(root, path).saved == 2
    cache = Cache(root)
    assert cache.read_meta(BLOB, RECIPE) == RECIPE_BYTES
    assert cache.read_meta(object_id(PAGE), TREE) == PAGE


def test_a_recipe_without_its_table_is_not_guessed(root: bytes) -> None:
    path = only(root, "meta")
    change(path, path.stat().st_size - 20)
    assert salvage(root, path).saved == 1
    cache = Cache(root)
    assert cache.read_meta(object_id(PAGE), TREE) == PAGE
    with pytest.raises(MissingData):
        cache.read_meta(BLOB, RECIPE)


def test_what_was_set_aside_can_be_stored_again_by_the_same_process(root: bytes) -> None:
    cache = Cache(root)
    path = only(root, "data")
    change(path, path.read_bytes().index(SMALL[30]) + 5)
    oid = object_id(SMALL[30])
    with pytest.raises(IntegrityError) as caught:
        cache.read_blob(oid)
    set_aside_damage(cache, [caught.value], what="test")
    assert not cache.has_blob(oid)
    with CacheWriter(cache, what="test") as writer:
        assert writer.put_small(SMALL[30]) == oid
        writer.commit()
    assert cache.read_blob(oid) == SMALL[30]


def test_a_wrong_loose_object_is_kept_in_quarantine(root: bytes) -> None:
    cache = Cache(root)
    data = b"loose" * 40_000
    with CacheWriter(cache, what="test") as writer:
        oid = _loose(writer, data)
        writer.commit()
    path = Path(os.fsdecode(cache.loose_path(oid)))
    change(path, 7)
    aside = salvage(root, path)
    assert aside.lost == (oid,) and not path.exists()
    assert Path(os.fsdecode(aside.moved_to)).stat().st_size == len(data)


def _loose(writer: CacheWriter, data: bytes) -> ObjectId:
    with writer.loose_temporary() as temporary:
        temporary.write(data)
        oid = temporary.digest()
        temporary.publish(oid)
    return oid

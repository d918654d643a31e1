from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.tree import TreeRef
from dvtool.state.aliases import Aliases
from dvtool.state.aliases import KnownFile
from dvtool.state.aliases import KnownTree

STATED = [ObjectId(bytes((2,)) + bytes((number,)) * 16) for number in range(200)] + [
    ObjectId(bytes((4,)) + bytes((number,)) * 16) for number in range(200)
]
OID = object_id(b"bytes")
TREE = KnownTree(TreeRef(object_id(b"tree"), 10, 3), 1, 7)


@pytest.fixture
def path(tmp_path: Path) -> bytes:
    return os.fsencode(tmp_path / "folder/aliases.sqlite")


def test_what_is_put_is_found_by_the_next(path: bytes) -> None:
    with Aliases(path) as aliases:
        for number, stated in enumerate(STATED):
            aliases.put(stated, object_id(b"%d" % number), number, executable=number == 3)
        assert len(aliases.files(STATED)) == len(STATED)
    with Aliases(path) as aliases:
        found = aliases.files([*STATED, ObjectId(bytes((2,)) + b"unknown unknown!")])
        assert found == {
            stated: KnownFile(object_id(b"%d" % number), number, number == 3) for number, stated in enumerate(STATED)
        }
        assert aliases.stated(object_id(b"5")) == [STATED[5]]


def test_nothing_is_made_before_something_is_put(path: bytes) -> None:
    with Aliases(path) as aliases:
        assert aliases.files(STATED) == {}
        assert aliases.tree(STATED[0]) is None
        assert aliases.manifest(STATED[0]) is None
        assert aliases.count == 0
    assert not os.path.lexists(os.path.dirname(path))


def test_hashed_asks_for_one_algorithm(path: bytes) -> None:
    with Aliases(path) as aliases:
        aliases.put(STATED[0], OID, 5)
        assert aliases.hashed([OID, object_id(b"other")], 2) == {OID}
        assert aliases.hashed([OID], 4) == set()


def test_what_is_known_stays_and_what_was_wrong_is_set_right(path: bytes) -> None:
    with Aliases(path) as aliases:
        aliases.put(STATED[0], OID, 5, executable=True)
        aliases.save()
        count = aliases.count
        aliases.put(STATED[0], OID, 5)
        assert aliases.files(STATED[:1])[STATED[0]].executable
        assert aliases.count == count
        aliases.put(STATED[0], object_id(b"right"), 6)
        assert aliases.files(STATED[:1]) == {STATED[0]: KnownFile(object_id(b"right"), 6)}


def test_a_directory_that_is_whole_needs_no_manifest(path: bytes) -> None:
    with Aliases(path) as aliases:
        aliases.put_manifest(STATED[0], b"[]")
        aliases.put_tree(STATED[0], TREE)
        assert aliases.tree(STATED[0]) == TREE
        assert aliases.manifest(STATED[0]) == b"[]"
        aliases.put_tree(STATED[0], TREE._replace(lacking=0))
        assert aliases.manifest(STATED[0]) is None


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE alias SET size = 6",
        "UPDATE alias SET oid = x'00'",
        "UPDATE alias SET sum = sum + 1",
        "UPDATE alias SET size = 'text'",
    ],
)
def test_a_row_with_another_sum_is_absent(path: bytes, damage: str) -> None:
    with Aliases(path) as aliases:
        aliases.put(STATED[0], OID, 5)
    db = sqlite3.connect(os.fsdecode(path))
    with db:
        db.execute(damage)
    db.close()
    with Aliases(path) as aliases:
        assert aliases.files(STATED[:1]) == {}
        aliases.put(STATED[0], OID, 5)
    with Aliases(path) as aliases:
        assert damage.endswith("sum + 1") or aliases.files(STATED[:1]) == {STATED[0]: KnownFile(OID, 5)}


@pytest.mark.parametrize("content", [b"", b"no database" * 999, b"SQLite format 3\0" + bytes(5000)])
def test_damage_makes_room_for_a_new_one(path: bytes, content: bytes) -> None:
    os.makedirs(os.path.dirname(path))
    with open(path, "wb") as file:
        file.write(content)
    with Aliases(path) as aliases:
        assert aliases.files(STATED) == {}
        aliases.put(STATED[0], OID, 5)
    with Aliases(path) as aliases:
        assert aliases.files(STATED[:1]) == {STATED[0]: KnownFile(OID, 5)}


def test_one_of_another_version_is_set_aside(path: bytes) -> None:
    with Aliases(path) as aliases:
        aliases.put(STATED[0], OID, 5)
    db = sqlite3.connect(os.fsdecode(path))
    db.execute("PRAGMA user_version = 2")
    db.close()
    with Aliases(path) as aliases:
        assert aliases.files(STATED[:1]) == {}
        aliases.put(STATED[1], OID, 5)
    assert os.path.exists(path + b".damaged")


def test_that_of_another_user_is_not_believed(path: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with Aliases(path) as aliases:
        aliases.put(STATED[0], OID, 5)
    monkeypatch.setattr(os, "getuid", lambda: 12_345)
    with Aliases(path) as aliases:
        assert aliases.files(STATED[:1]) == {}
        aliases.put(STATED[1], OID, 5)
        assert set(aliases.files(STATED)) == {STATED[1]}
    monkeypatch.undo()
    with Aliases(path) as aliases:
        assert set(aliases.files(STATED)) == {STATED[0]}

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.errors import MissingData
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.tree import file_entry
from dvtool.workspace.attempts import Attempts

ONE = file_entry(b"a", object_id(b"one"), 3, False)
TWO = file_entry(b"a", object_id(b"two"), 3, True)


def nothing(oid: ObjectId) -> bytes:
    raise MissingData(f"blake3:{oid.hex()}")


@pytest.fixture
def state(tmp_path: Path) -> bytes:
    return bytes(tmp_path)


def test_what_ended_leaves_nothing(state: bytes) -> None:
    attempts = Attempts(state)
    attempts.begin(b"d/a", ONE)
    attempts.end(b"d/a")
    assert not attempts.were_interrupted
    assert os.listdir(state) == []
    assert not Attempts(state).were_interrupted


def test_what_did_not_end_is_known_to_the_next_and_adds_up(state: bytes) -> None:
    Attempts(state).begin(b"d/a", ONE)
    second = Attempts(state)
    assert second.were_interrupted
    second.begin(b"d/a", TWO)
    third = Attempts(state)
    assert list(third.entries_at(b"d/a", nothing)) == [ONE, TWO]
    assert list(third.entries_at(b"d/b", nothing)) == []
    third.end(b"d/a")
    assert os.listdir(state) == []


def test_the_end_of_one_path_keeps_the_others(state: bytes) -> None:
    first = Attempts(state)
    first.begin(b"d/a", ONE)
    first.begin(b"e/a", TWO)
    first.begin(b"gone", None)
    second = Attempts(state)
    second.end(b"d")
    third = Attempts(state)
    assert list(third.entries_at(b"d/a", nothing)) == []
    assert list(third.entries_at(b"e/a", nothing)) == [TWO]
    assert third.were_interrupted


def test_a_torn_line_hides_no_other(state: bytes) -> None:
    Attempts(state).begin(b"a", ONE)
    path = os.path.join(state, b"checkout")
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) - 9)
    second = Attempts(state)
    assert second.were_interrupted
    second.begin(b"a", TWO)
    assert list(Attempts(state).entries_at(b"a", nothing)) == [TWO]


@pytest.mark.parametrize("data", [b"", b"\0\xff", b"[]", b'{"path":1}', b'{"path":"YQ==","leaf":"YQ=="}'])
def test_other_bytes_are_passed_over(state: bytes, data: bytes) -> None:
    Path(os.fsdecode(state), "checkout").write_bytes(data)
    attempts = Attempts(state)
    assert attempts.were_interrupted
    assert list(attempts.entries_at(b"a", nothing)) == []
    attempts.end(b"a")
    assert os.listdir(state) == []

from __future__ import annotations

import io
import os

import pytest

from dvtool.api.rangedfile import RangedFile
from dvtool.api.rangedfile import SizedReader
from dvtool.errors import IntegrityError
from dvtool.hashing.digests import object_id

DATA = bytes(range(256)) * 4_096


class Asked:
    """Gives stretches of *data*, and notes what was asked for."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data = data
        self.calls: list[tuple[int, int, int]] = []

    def __call__(self, start: int, stop: int, ahead: int) -> bytes:
        self.calls.append((start, stop, ahead))
        return self.data[start:stop]


def opened(asked: Asked, digest: bytes = object_id(DATA)) -> RangedFile:
    return RangedFile(len(DATA), digest, asked)


def test_reads_what_is_asked_for() -> None:
    asked = Asked()
    file = opened(asked)
    file.seek(1_000)
    assert file.read(10) == DATA[1_000:1_010]
    assert file.tell() == 1_010
    assert file.seek(-4, os.SEEK_END) == len(DATA) - 4
    assert file.read() == DATA[-4:]
    assert file.read() == b""
    assert [call[:2] for call in asked.calls] == [(1_000, 1_010), (len(DATA) - 4, len(DATA))]


def test_who_reads_on_gets_as_much_ahead_as_was_read_and_who_jumps_does_not() -> None:
    asked = Asked(DATA * 20)
    file = RangedFile(len(asked.data), b"", asked)
    for _ in range(3):
        file.read(3 << 20)
    file.seek(5)
    file.read(100)
    assert [ahead for _, _, ahead in asked.calls] == [0, 0, 6 << 20, 0]


def test_all_of_it_in_order_is_proved() -> None:
    assert SizedReader(opened(Asked()), len(DATA)).read() == DATA
    wrong = Asked(DATA[:-1] + b"x")
    with pytest.raises(IntegrityError, match="is not blake3:"):
        SizedReader(opened(wrong), len(DATA)).read()
    lines = io.TextIOWrapper(SizedReader(opened(wrong), len(DATA)), "latin-1")
    with pytest.raises(IntegrityError):
        list(lines)


def test_a_stretch_again_does_not_spoil_the_proof() -> None:
    file = opened(Asked())
    file.read(100)
    file.seek(50)
    assert file.read() == DATA[50:]
    file.seek(100)
    assert file.read() == DATA[100:]


def test_closed_files_are_not_read_and_no_position_is_before_the_start() -> None:
    file = opened(Asked())
    with pytest.raises(ValueError, match="before the start"):
        file.seek(-1)
    assert file.seek(len(DATA) + 5) == len(DATA) + 5
    assert file.read(1) == b""
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.readall()


def test_says_its_size() -> None:
    file = SizedReader(opened(Asked()), len(DATA))
    assert (file.size, file.mode, file.readable(), file.seekable(), file.writable()) == (
        len(DATA),
        "rb",
        True,
        True,
        False,
    )

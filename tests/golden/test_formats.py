"""The bytes of every format are pinned: what is written today is read for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import UnsafeInput
from dvtool.formats.pack import FOOTER_BYTES
from dvtool.formats.pack import HEADER_BYTES
from dvtool.formats.pack import decode_footer
from tests.golden.cases import CASES
from tests.golden.cases import Case

FOLDER = Path(__file__).parent / "formats"
PIN = os.environ.get("DVTOOL_PIN") == "1"
"""Read when the tests are collected: the hermetic world takes the variable away."""
REFUSED = (FormatError, IntegrityError, UnsafeInput)

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)


def golden(case: Case) -> bytes:
    path = FOLDER / case.file
    if PIN:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(case.encode(case.value))
    return path.read_bytes()


@every_case
def test_the_golden_file_is_read(case: Case) -> None:
    assert case.decode(golden(case)) == case.value


@every_case
def test_the_golden_bytes_are_written(case: Case) -> None:
    assert comparable(case, case.encode(case.value)) == comparable(case, golden(case))


def comparable(case: Case, data: bytes) -> bytes:
    """Another release of zstd may compress otherwise: of a pack, the header and the table are compared."""
    if not case.file.startswith("pack/"):
        return data
    foot = decode_footer(data[-FOOTER_BYTES:], len(data), case.file)
    return data[:HEADER_BYTES] + data[foot.table_offset : -FOOTER_BYTES]


@every_case
def test_every_flipped_bit_is_seen(case: Case) -> None:
    data = bytearray(golden(case))
    unseen = []
    for at in range(len(data)):
        for bit in (1, 16, 128):
            data[at] ^= bit
            try:
                if case.decode(bytes(data)) == case.value:
                    unseen.append((at, bit))
            except REFUSED:
                pass
            data[at] ^= bit
    assert unseen == []


@every_case
def test_every_beginning_is_refused(case: Case) -> None:
    data = golden(case)
    for end in range(len(data)):
        try:
            assert case.decode(data[:end]) != case.value
        except REFUSED:
            pass


def test_no_file_lies_about_unused() -> None:
    found = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file()}
    assert found == {case.file for case in CASES}

"""Files stay small enough to be read in one go."""

from __future__ import annotations

import pytest

from tests.architecture import sources

LIMIT = 450
PLACES = ("dvtool", "tests", "benchmarks", "scripts")


@pytest.mark.parametrize("place", PLACES)
def test_no_file_is_too_long(place: str) -> None:
    lengths = {
        path.relative_to(sources.ROOT).as_posix(): path.read_bytes().count(b"\n")
        for path in (sources.ROOT / place).rglob("*.py")
    }
    assert {path: length for path, length in lengths.items() if length > LIMIT} == {}

"""Some rounds of what `make torture` does many of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.together import gc_beside
from tests.crash.together import rewrites
from tests.crash.together import same_tree
from tests.support.mounts import WHOLE_SECONDS_NEED
from tests.support.mounts import whole_seconds

pytestmark = pytest.mark.crash


def test_six_processes_add_the_same_tree(tmp_path: Path) -> None:
    tally = same_tree(tmp_path, processes=6, files=500, rounds=2)
    assert tally.violations == []
    assert (tally.points, tally.hit) == (2, 14)


def test_gc_beside_everything_else_loses_nothing(tmp_path: Path) -> None:
    tally = gc_beside(tmp_path, rounds=3)
    assert tally.violations == []
    assert tally.points == 3


@pytest.mark.parametrize("old_time", [False, True], ids=["at once", "old mtime restored"])
def test_a_rewritten_file_is_seen(tmp_path: Path, *, old_time: bool) -> None:
    tally = rewrites(tmp_path, count=40, old_time=old_time)
    assert tally.violations == []
    assert tally.points >= 40
    assert tally.hit == 40 or not old_time


@pytest.mark.parametrize("old_time", [False, True], ids=["in the same tick", "old mtime restored"])
def test_a_rewritten_file_is_seen_where_the_clock_is_coarse(tmp_path: Path, *, old_time: bool) -> None:
    with whole_seconds(tmp_path) as folder:
        if folder is None:
            pytest.skip(WHOLE_SECONDS_NEED)
        tally = rewrites(folder, count=40, old_time=old_time)
    assert tally.violations == []
    assert tally.hit == 40

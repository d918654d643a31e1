from __future__ import annotations

import os

import pytest

from dvtool.api.commit import CommitRequest
from dvtool.api.commit import CommitResult
from dvtool.api.commit import commit
from dvtool.errors import UsageError
from tests.support.workbench import Workbench


def run(bench: Workbench, *targets: str) -> CommitResult:
    return commit(bench.project, CommitRequest(tuple(map(os.fsencode, targets))))


def test_all_that_changed_is_recorded_and_nothing_else_read(bench: Workbench) -> None:
    bench.track({"data": {"a": "1", "b": "2"}, "f": "x", "g": "y"})
    bench.settle()
    bench.create({"data": {"a": "changed", "new": "3"}, "f": "changed"})
    result = run(bench)
    assert [item.path for item in result.recorded] == [b"data", b"f"]
    assert (result.tracked, result.files_hashed, result.git_files) == (3, 3, (b"data.dvt", b"f.dvt"))
    assert bench.changes() == set()


def test_part_of_a_directory(bench: Workbench) -> None:
    bench.track({"data": {"a": "1", "b": "2"}})
    bench.create({"data": {"a": "changed", "b": "changed"}})
    run(bench, "data/a")
    assert bench.changes() == {("modified", "data/b")}


def test_a_file_that_was_deleted_is_recorded_as_such(bench: Workbench) -> None:
    bench.track({"data": {"a": "1", "b": "2"}})
    (bench.root / "data/a").unlink()
    run(bench, "data/a")
    assert bench.changes() == set()


def test_what_is_not_there_keeps_its_pointer(bench: Workbench) -> None:
    bench.track({"f": "1", "g": "2"})
    (bench.root / "f").unlink()
    result = run(bench)
    assert (result.recorded, result.missing) == ((), (b"f",))
    assert (bench.root / "f.dvt").exists()
    (bench.root / "g").unlink()
    assert run(bench).missing == (b"f", b"g")


def test_what_is_not_tracked_is_not_begun(bench: Workbench) -> None:
    bench.create({"f": "1"})
    with pytest.raises(UsageError, match="not tracked"):
        run(bench, "f")

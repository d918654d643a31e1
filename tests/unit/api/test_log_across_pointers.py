"""The log of a path goes on where another pointer took it over."""

from __future__ import annotations

import os

from dvtool.api.log import LogRequest
from dvtool.api.log import log
from tests.support.workbench import Workbench


def versions(bench: Workbench, path: str) -> list[tuple[str, str, str]]:
    found = log(bench.project, LogRequest(os.fsencode(os.path.join(bench.root, path)))).versions
    return [(version.subject, version.change, os.fsdecode(version.path)) for version in found]


def step(bench: Workbench, message: str, text: str, target: str) -> None:
    bench.create({"data": {"a": text}})
    bench.add(target)
    bench.commit(message)


def test_from_its_own_pointer_into_that_of_a_directory(bench: Workbench) -> None:
    step(bench, "one", "1", "data/a")
    step(bench, "two", "2", "data/a")
    bench.git("rm", "-q", "data/a.dvt", "data/.gitignore")
    bench.create({"data": {"b": "beside"}})
    bench.add("data")
    bench.commit("as a whole")
    step(bench, "three", "3", "data")
    assert versions(bench, "data/a") == [
        ("three", "modified", "data/a"),
        ("two", "modified", "data/a"),
        ("one", "added", "data/a"),
    ]
    assert versions(bench, "data/b") == [("as a whole", "added", "data/b")]


def test_out_of_a_directory_into_its_own_pointer(bench: Workbench) -> None:
    step(bench, "one", "1", "data")
    (bench.root / "data.dvt").unlink()
    (bench.root / ".gitignore").unlink()
    step(bench, "two, alone", "2", "data/a")
    step(bench, "three", "3", "data/a")
    assert versions(bench, "data/a") == [
        ("three", "modified", "data/a"),
        ("two, alone", "modified", "data/a"),
        ("one", "added", "data/a"),
    ]


def test_what_was_never_tracked_before_ends_it(bench: Workbench) -> None:
    bench.track({"other": "x"})
    step(bench, "one", "1", "data")
    assert versions(bench, "data/a") == [("one", "added", "data/a")]

"""Bringing a workspace to another state removed untracked files and unrecorded work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clones import Clone

pytestmark = pytest.mark.e2e

V1: dict[str, Any] = {"a": b"a1", "b": b"b1", "sub": {"c": b"c1"}}
V2: dict[str, Any] = {"a": b"a2", "b": b"b1", "sub": {"c": b"c2"}, "new": b"n2"}


@pytest.fixture
def two_versions(ann: Clone) -> Clone:
    for version in (V1, V2):
        ann.create({"data": version})
        ann.run("add", "data")
        ann.commit()
    ann.run("push")
    return ann


@pytest.mark.parametrize("argv", [["checkout"], ["checkout", "--force"], ["pull"], ["pull", "--force"]], ids=" ".join)
def test_untracked_files_stay_and_edits_stay_or_come_back(two_versions: Clone, argv: list[str]) -> None:
    ann = two_versions
    mine = {"data/mine.txt": b"mine", "data/sub/notes": b"notes", "src/model.py": b"code", "venv/bin/python": b"#!"}
    for name, data in mine.items():
        (ann.root / name).parent.mkdir(parents=True, exist_ok=True)
        (ann.root / name).write_bytes(data)
    (ann.root / "data/sub/c").write_bytes(b"an afternoon of work")
    ann.git("checkout", "-q", "HEAD~1", "--", "data.dvt")
    forced = "--force" in argv
    ann.run(*argv, code=0 if forced else 1)
    assert {name: (ann.root / name).read_bytes() for name in mine} == mine
    if forced:
        assert (ann.root / "data/sub/c").read_bytes() == b"c1"
        ann.run("recover", "data/sub/c", "-o", "rescued")
        assert (ann.root / "rescued").read_bytes() == b"an afternoon of work"
    else:
        assert (ann.root / "data/sub/c").read_bytes() == b"an afternoon of work"


def test_a_file_in_the_way_of_a_pulled_one_stays(two_versions: Clone, tmp_path: Path) -> None:
    bob = two_versions.clone(tmp_path / "bob")
    bob.create({"data": {"a": b"bob's own"}})
    done = bob.run("pull", code=1)
    assert "data/a" in done.err + done.out
    assert (bob.root / "data/a").read_bytes() == b"bob's own"

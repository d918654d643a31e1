"""Switching versions: what the worktree holds afterwards, and what the memo knows of it."""

from __future__ import annotations

from pathlib import Path

from tests.support.trees import tree_of
from tests.support.workbench import Workbench


def data_of(bench: Workbench) -> object:
    """The data below `data`, without pointers and what else belongs to Git."""
    found = tree_of(bench.root).get(b"data", {})
    assert isinstance(found, dict)
    return {name: node for name, node in found.items() if not name.endswith((b".dvt", b".gitignore"))}


def test_a_directory_that_was_tracked_in_parts_and_then_as_a_whole(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "repo")
    bench.create({"data": {"a": {"x": "1"}, "b": {"y": "2"}}})
    bench.add("data/a", "data/b")
    bench.commit("v1")
    bench.git("tag", "v1")
    bench.git("rm", "-q", "data/a.dvt", "data/b.dvt", "data/.gitignore")
    bench.add("data")
    bench.commit("v2")
    bench.git("tag", "v2")
    for version in ("v2", "v1", "v2", "v1"):
        bench.git("checkout", "-q", version)
        assert not bench.checkout().conflicts
        assert data_of(bench) == {b"a": {b"x": b"1"}, b"b": {b"y": b"2"}}
        assert bench.changes() == set()

"""Working on a part of a tracked directory, in a clone that has little or nothing of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clones import Clone
from tests.e2e.clones import new_clone
from tests.e2e.story import noise

pytestmark = pytest.mark.e2e

DATA: dict[Any, Any] = {
    "a": {"x": "x\n", "large": noise("large", 1_000_000)},
    **{f"d{n}": {f"f{m}": noise(f"{n} {m}", 20_000) for m in range(20)} for n in range(6)},
}
"""3.4 MB, of which a test wants two bytes."""


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone that has pushed; tests make clones of it."""
    clone = new_clone(tmp_path_factory.mktemp("partial") / "pushed")
    clone.run("remote", "add", "-d", "origin", clone.root.parent / "remote")
    clone.create({"data": DATA})
    clone.run("add", "data")
    clone.commit()
    clone.run("push")
    return clone


def test_pull_of_one_file_fetches_little(pushed: Clone, tmp_path: Path) -> None:
    clone = pushed.clone(tmp_path / "clone")
    fetched = clone.run("pull", "data/a/x", "--json").document["fetch"]
    assert fetched["objects"] == 1
    assert fetched["bytes_received"] < 200_000
    clone.assert_data({"a": {"x": "x\n"}})
    again = clone.run("pull", "data/a/x", "--json").document["fetch"]
    assert again["bytes_received"] == 0
    assert "dvtool list data" in clone.run("pull", "data/missing", code=2).hint
    clone.run("pull", "data/d1")
    clone.assert_data({"a": {"x": "x\n"}, "d1": DATA["d1"]})
    clone.run("pull")
    clone.assert_data(DATA)
    clone.assert_clean()


def test_add_one_file_where_nothing_was_pulled(pushed: Clone, tmp_path: Path) -> None:
    clone = pushed.clone(tmp_path / "clone")
    clone.create({"data": {"new.png": "new\n", "d1": {"f1": "changed\n"}}})
    clone.run("add", "data/new.png", "data/d1/f1")
    # What is absent was never here, so nobody deleted it.
    clone.run("add", "data")
    status = clone.run("status").out
    assert "added     data/new.png" in status
    assert "modified  data/d1/f1" in status
    assert "deleted" not in status
    stored = sum(path.stat().st_size for path in clone.cache.rglob("*") if path.is_file())
    assert stored < 200_000
    clone.commit()
    shutil.copytree(pushed.root.parent / "remote", tmp_path / "remote")
    clone.run("config", "--local", "remote.origin.url", tmp_path / "remote")
    clone.run("push")
    fresh = clone.clone(tmp_path / "fresh")
    fresh.run("config", "--local", "remote.origin.url", tmp_path / "remote")
    fresh.run("pull")
    fresh.assert_data({**DATA, "new.png": "new\n", "d1": {**DATA["d1"], "f1": "changed\n"}})


def test_a_deletion_is_recorded_and_a_slip_is_not(pushed: Clone, tmp_path: Path) -> None:
    clone = pushed.clone(tmp_path / "clone")
    clone.run("pull", "data/a")
    (clone.root / "data/a/x").unlink()
    pointer = (clone.root / "data.dvt").read_bytes()
    assert "data/a/y does not exist" in clone.run("add", "data/a/y", code=2).error
    assert (clone.root / "data.dvt").read_bytes() == pointer
    clone.run("add", "data/a/x")
    assert clone.run("list", "data/a").out.split() == ["large"]


def test_offline_what_is_missing_is_said(pushed: Clone, tmp_path: Path) -> None:
    clone = pushed.clone(tmp_path / "clone")
    clone.run("config", "--local", "remote.origin.url", tmp_path / "nowhere")
    assert "cache" in clone.run("list", "data", code=4).error
    clone.run("checkout", code=4)
    before = (clone.root / "data.dvt").read_bytes()
    clone.create({"data": {"new.png": "new\n"}})
    assert clone.run("add", "data/new.png", code=7).hint
    assert (clone.root / "data.dvt").read_bytes() == before
    clone.assert_data({"new.png": "new\n"})

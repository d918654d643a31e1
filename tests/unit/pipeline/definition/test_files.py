"""Reading definitions from a worktree."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.errors import MissingData
from dvtool.errors import UnsafeInput
from dvtool.pipeline.definition import load

STAGE = "stages:\n  a: {cmd: 'x ${v}'}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Definitions at two depths."""
    for folder in ("", "a/b"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "dvtool.yaml").write_text(STAGE)
    (tmp_path / "a/other.yaml").write_text("v: 1\n")
    return tmp_path


def test_a_definition_is_read_with_its_values(root: Path) -> None:
    (root / "a/b/params.yaml").write_text("v: 1\n")
    assert load(os.fsencode(root), b"a/b/dvtool.yaml").stages[0].commands == ("x 1",)
    assert load(os.fsencode(root), b"a/b/dvtool.yaml", overrides={"v": 2}).stages[0].commands == ("x 2",)


def test_no_file_and_links(root: Path) -> None:
    with pytest.raises(MissingData):
        load(os.fsencode(root), b"none/dvtool.yaml")
    (root / "c").mkdir()
    (root / "c/dvtool.yaml").symlink_to("../a/b/dvtool.yaml")
    with pytest.raises(UnsafeInput):
        load(os.fsencode(root), b"c/dvtool.yaml")
    (root / "d").symlink_to("a")
    with pytest.raises(UnsafeInput):
        load(os.fsencode(root), b"d/b/dvtool.yaml")
    (root / "params.yaml").symlink_to("a/other.yaml")
    with pytest.raises(UnsafeInput):
        load(os.fsencode(root), b"dvtool.yaml")

"""Finding definitions in a worktree, and reading them from it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dvtool.errors import MissingData
from dvtool.errors import UnsafeInput
from dvtool.git.discover import find_git
from dvtool.git.run import GitRepo
from dvtool.pipeline.definition import find_definitions
from dvtool.pipeline.definition import load

STAGE = "stages:\n  a: {cmd: 'x ${v}'}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Definitions at several depths, one in another project, one that Git ignores, one in tracked data."""
    for folder in ("", "a/b", "inner", "ignored", "data"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "dvtool.yaml").write_text(STAGE)
    (tmp_path / "a/other.yaml").write_text(STAGE)
    (tmp_path / "inner/.dvtool").mkdir()
    (tmp_path / "inner/.dvtool/config").write_text("")
    (tmp_path / "data.dvt").write_text("")
    (tmp_path / ".gitignore").write_text("/ignored\n/data\n")
    return tmp_path


def repository(root: Path) -> GitRepo:
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    git = find_git(os.fsencode(root), os.environ)
    assert git is not None
    return git


def test_with_git_also_what_is_not_tracked_yet(root: Path) -> None:
    git = repository(root)
    subprocess.run(["git", "add", "dvtool.yaml"], cwd=root, check=True)
    assert find_definitions(os.fsencode(root), git) == [b"a/b/dvtool.yaml", b"dvtool.yaml"]
    (root / "dvtool.yaml").unlink()
    assert find_definitions(os.fsencode(root), git) == [b"a/b/dvtool.yaml"]


def test_paths_are_relative_to_a_project_below_the_top(root: Path) -> None:
    assert find_definitions(os.fsencode(root / "a"), repository(root), b"a") == [b"b/dvtool.yaml"]


def test_without_git(root: Path) -> None:
    assert find_definitions(os.fsencode(root), None) == [b"a/b/dvtool.yaml", b"dvtool.yaml", b"ignored/dvtool.yaml"]


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

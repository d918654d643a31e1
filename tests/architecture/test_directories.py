"""New directories of dvtool's own are brought to the medium: what lies in them is lost with their names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.disk import folders

DVTOOL = Path(__file__).parents[2] / "dvtool"
# The directory of crash reports: nothing depends on it.
ALLOWED = {"cli/bugreport.py"}


def test_directories_are_made_so_that_they_stay() -> None:
    users = {str(path.relative_to(DVTOOL)) for path in DVTOOL.rglob("*.py") if "makedirs(" in path.read_text()}
    assert users <= ALLOWED


def test_the_first_folder_of_a_clone_is_synced_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bytes] = []
    monkeypatch.setattr(folders, "fsync_dir", synced.append)
    folders.make_folders(os.fsencode(tmp_path / "a/b"))
    assert synced == [os.fsencode(tmp_path), os.fsencode(tmp_path / "a")]

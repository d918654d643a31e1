from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.datarepo import V1
from tests.support.datarepo import DataRepo


@pytest.fixture(scope="session")
def data_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """v1: a directory and a file; both tracked and committed."""
    made = DataRepo(tmp_path_factory.mktemp("template") / "repo")
    made.write({"data": V1, "model.bin": "m1", "src": {"main.py": "print()\n"}})
    made.add("data", "model.bin")
    made.commit("first")
    made.git("tag", "v1")
    return made.at


@pytest.fixture
def repo(data_template: Path, tmp_path: Path) -> DataRepo:
    """A copy of the template."""
    shutil.copytree(data_template, tmp_path / "repo", symlinks=True)
    return DataRepo(tmp_path / "repo", CommandLine(tmp_path / "repo"))

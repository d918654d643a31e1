"""Who changed a file or a value in it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from dvtool.errors import FormatError
from dvtool.project.authors import UNCOMMITTED
from dvtool.project.authors import last_change
from dvtool.project.environment import Environment
from dvtool.project.init import init_project
from dvtool.project.open import Project
from dvtool.project.open import open_project


@pytest.fixture
def place(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


@pytest.fixture
def project(place: Path) -> Project:
    environment = Environment(os.environ, os.fsencode(place / "home"), os.fsencode(place))
    init_project(b".", environment)
    return open_project(os.fsencode(place), environment)


def _commit(place: Path, author: str, subject: str, **files: str) -> str:
    for name, text in files.items():
        (place / name).write_text(text)
    subprocess.run(["git", "add", *files], cwd=place, check=True)
    who = f"--author={author} <a@example.org>"
    subprocess.run(["git", "commit", "--quiet", who, "-m", subject], cwd=place, check=True)
    return (
        subprocess.run(["git", "rev-parse", "HEAD"], cwd=place, check=True, capture_output=True).stdout.decode().strip()
    )


def _rate(text: bytes) -> object:
    try:
        return json.loads(text)["rate"]
    except ValueError:
        raise FormatError("not JSON") from None


def test_a_file_is_of_the_last_commit_that_touched_it(place: Path, project: Project) -> None:
    assert last_change(project, b"a") is None
    sha = _commit(place, "Ann", "one", a="1")
    _commit(place, "Bob", "two", b="1")
    found = last_change(project, b"a")
    assert found is not None
    assert (found.commit, found.author, found.subject) == (sha, "Ann", "one")
    (place / "a").write_text("22")
    assert last_change(project, b"a") == UNCOMMITTED
    (place / "c").write_text("1")
    assert last_change(project, b"c") is None


def test_a_value_is_of_the_commit_that_gave_it(place: Path, project: Project) -> None:
    _commit(place, "Ann", "one", p='{"rate": 1}')
    sha = _commit(place, "Bob", "two", p='{"rate": 2}')
    _commit(place, "Ann", "three", p='{"rate": 2, "other": 1}')
    found = last_change(project, b"p", _rate, b'{"rate": 2, "other": 7}')
    assert found is not None
    assert (found.commit, found.author) == (sha, "Bob")
    assert last_change(project, b"p", _rate, b'{"rate": 3}') == UNCOMMITTED


def test_a_version_that_cannot_be_read_ends_the_search(place: Path, project: Project) -> None:
    _commit(place, "Ann", "one", p='{"rate": 2}')
    _commit(place, "Ann", "broken", p="{")
    sha = _commit(place, "Bob", "mended", p='{"rate": 2}')
    found = last_change(project, b"p", _rate, b'{"rate": 2}')
    assert found is not None
    assert found.commit == sha

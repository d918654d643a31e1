"""A home, a Git repository and hands to work in both."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dvtool.project.environment import Environment


class Place:
    """A directory that may be a Git repository, with the environment that a command line would pass."""

    def __init__(self, top: bytes, home: bytes) -> None:
        self.top = top
        self.home = home
        self.environ = {**os.environ, "XDG_CONFIG_DIRS": os.fsdecode(home + b"/system")}
        self.environ.pop("XDG_CONFIG_HOME", None)

    @property
    def environment(self) -> Environment:
        return Environment(self.environ, self.home, self.top)

    def git(self, *args: str | bytes) -> str:
        done = subprocess.run(["git", *args], cwd=self.top, env=self.environ, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    def write(self, path: bytes, text: bytes) -> None:
        full = os.path.join(self.top, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(text)

    def read(self, path: bytes) -> bytes:
        with open(os.path.join(self.top, path), "rb") as file:
            return file.read()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty directory outside Git."""
    for name in ("home", "work tree"):
        (tmp_path / name).mkdir()
    base = os.path.realpath(os.fsencode(tmp_path))
    return Place(base + b"/work tree", base + b"/home")


@pytest.fixture
def repo(place: Place) -> Place:
    """The same, with an empty Git repository in it."""
    place.git("init", "-q")
    return place

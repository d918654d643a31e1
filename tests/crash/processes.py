"""Real processes of the command line, several at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.faults.checker import Contents
from tests.faults.checker import read_store

ROOT = Path(__file__).parents[2]


def start(place: Path, *argv: str) -> subprocess.Popen[str]:
    """``dvtool *argv*`` in *place*, under way."""
    return subprocess.Popen(
        [sys.executable, "-m", "dvtool", *argv],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def all_succeed(processes: Iterable[subprocess.Popen[str]]) -> None:
    """Wait for every one; each must end with 0 and without a traceback."""
    ended = [(process.args, *process.communicate(), process.returncode) for process in processes]
    assert all(code == 0 and "Traceback" not in err for _, _, err, code in ended), ended


def dvtool(place: Path, *argv: str) -> None:
    """A command that must succeed, to its end."""
    all_succeed([start(place, *argv)])


def git(place: Path, *argv: str) -> None:
    """Git to its end."""
    subprocess.run(["git", *argv], cwd=place, check=True, capture_output=True)


def new_project(place: Path) -> Path:
    """A dvtool project at the top of a new Git repository, committed."""
    place.mkdir(parents=True)
    git(place, "init", "-q")
    dvtool(place, "init")
    git(place, "add", ".")
    git(place, "commit", "-q", "-m", "begin")
    return place


def cache_of(place: Path) -> Path:
    """The cache of a project that shares none."""
    return place / ".git/dvtool/cache"


def whole(store: Path, *pointers: Path) -> Contents:
    """What the store holds, which must be sound and complete for *pointers*."""
    found = read_store(store)
    assert not found.problems, found.problems
    for pointer in pointers:
        assert not found.lacks(pointer.read_bytes()), pointer
    return found

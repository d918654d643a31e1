from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import clones
from tests.e2e.clones import Clone
from tests.e2e.clones import new_clone
from tests.e2e.warm import warm_process
from tests.faults.injector import Injector
from tests.support.seaweed import seaweed

__all__ = ["seaweed"]


@pytest.fixture(scope="session", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory, world: object) -> Iterator[None]:
    """Commands start in forks of one process that has imported dvtool."""
    with warm_process(tmp_path_factory.mktemp("warm")) as process:
        clones.warm = process
        yield
        clones.warm = None


@pytest.fixture(scope="session")
def injector(tmp_path_factory: pytest.TempPathFactory, world: object) -> Iterator[Injector]:
    """Runs commands that are killed at a chosen change of the file system."""
    with Injector(tmp_path_factory.mktemp("shim")) as started:
        yield started


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    place = tmp_path / "remote"
    place.mkdir()
    return place


@pytest.fixture
def ann(tmp_path: Path, remote: Path) -> Clone:
    """A project with a remote, and nothing tracked yet."""
    clone = new_clone(tmp_path / "ann")
    clone.run("remote", "add", "-q", "-d", "origin", remote)
    clone.commit("start")
    return clone


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 12 MiB; skipped where one cannot be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)

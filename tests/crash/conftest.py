"""One fork server for all sweeps, and fast places for their worlds."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.injector import Injector

_MEMORY_BYTES = 512 << 20


@pytest.fixture(scope="session")
def injector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Injector]:
    """Runs commands that meet faults."""
    with Injector(tmp_path_factory.mktemp("faults")) as injector:
        yield injector


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where that is possible: each point copies its world, and syncs to a disk take most of the time."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < _MEMORY_BYTES:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="dvtool-", dir=memory) as folder:
        yield Path(folder)

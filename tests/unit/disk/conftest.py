from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dvtool.disk.beneath import open_root


@pytest.fixture
def here(tmp_path: Path) -> bytes:
    """The test's own empty directory, as a path."""
    return os.fsencode(tmp_path)


@pytest.fixture
def here_fd(here: bytes) -> Iterator[int]:
    """The same directory, opened."""
    fd = open_root(here)
    yield fd
    os.close(fd)

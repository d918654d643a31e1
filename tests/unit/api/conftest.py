from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """An empty project in an empty Git repository."""
    return Workbench(tmp_path / "repo")

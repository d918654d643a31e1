from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.scene import build_template


@pytest.fixture(scope="session")
def hostile_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An honest project, which every case makes hostile in a copy of its own."""
    return build_template(tmp_path_factory.mktemp("hostile") / "template")

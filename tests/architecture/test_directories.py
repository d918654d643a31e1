"""New directories of dvtool's own are brought to the medium: what lies in them is lost with their names."""

from __future__ import annotations

from pathlib import Path

DVTOOL = Path(__file__).parents[2] / "dvtool"
# The directory of crash reports: nothing depends on it.
ALLOWED = {"cli/bugreport.py"}


def test_directories_are_made_so_that_they_stay() -> None:
    users = {str(path.relative_to(DVTOOL)) for path in DVTOOL.rglob("*.py") if "makedirs(" in path.read_text()}
    assert users <= ALLOWED

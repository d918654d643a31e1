"""What Git calls is as safe on a hostile repository as the verbs that people type."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.case import Hostile
from tests.hostile.test_repositories import CASES
from tests.hostile.test_repositories import made
from tests.hostile.watch import watched
from tests.support.cli import CommandLine

ZERO = "0" * 40
HOOKS = (
    ("pre-commit",),
    ("post-checkout", ZERO, ZERO, "1"),
    ("post-merge", "0"),
    ("textconv", "data.dvt"),
)


@pytest.mark.parametrize("case", CASES[::40], ids=str)
def test_hooks_touch_nothing_outside(case: Hostile, hostile_template: Path, tmp_path: Path) -> None:
    scene = made(case, hostile_template, tmp_path / "place")
    cli = CommandLine(scene.mine)
    before = scene.untouched()
    for hook in HOOKS:
        with watched(str(scene.outside)) as seen:
            ran = cli("git-hook", *hook)
        assert not seen, (ran, seen)
        assert "Traceback" not in ran.err, ran
        assert "bug in dvtool" not in ran.err, ran
        assert scene.untouched() == before, ran
        assert not scene.marker.exists(), ran

"""Every hostile repository against every verb: refused by name, nothing outside touched, nothing started."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.hostile import locks
from tests.hostile import pointers
from tests.hostile import remotes
from tests.hostile import settings
from tests.hostile import trees
from tests.hostile import worktrees
from tests.hostile.case import Hostile
from tests.hostile.scene import Scene
from tests.hostile.verbs import EVERY
from tests.hostile.verbs import VERBS
from tests.hostile.watch import watched
from tests.support.cli import CommandLine

CASES = [*pointers.cases(), *locks.cases(), *trees.cases(), *settings.cases(), *worktrees.cases(), *remotes.cases()]
WHOLE = os.environ.get("DVTOOL_TORTURE") == "1"
OFTEN = frozenset({"status", "list", "pull --force", "checkout", "push"})
"""Unless all are asked for, a case runs those, and with them every verb that its number chooses."""


def made(case: Hostile, template: Path, place: Path) -> Scene:
    shutil.copytree(template, place, symlinks=True)
    scene = Scene(place)
    case.build(scene)
    scene.commit()
    scene.clone()
    case.after(scene)
    return scene


def chosen(case: Hostile) -> list[str]:
    number = CASES.index(case)
    names = [name for name in VERBS if name not in case.skip]
    return names if WHOLE else [name for at, name in enumerate(names) if name in OFTEN or at % 5 == number % 5]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_is_refused(case: Hostile, hostile_template: Path, tmp_path: Path) -> None:
    scene = made(case, hostile_template, tmp_path / "place")
    cli = CommandLine(scene.mine)
    before = scene.untouched()
    for name in chosen(case):
        with watched(str(scene.outside)) as seen:
            ran = cli(*VERBS[name])
        text = f"{case} {name}: {ran}"
        assert not seen, (text, seen)
        assert "Traceback" not in ran.err, text
        assert "bug in dvtool" not in ran.err, text
        assert scene.untouched() == before, text
        assert not scene.marker.exists(), text
        if name in case.refusing:
            code = case.ends.get(name, case.code)
            assert ran.code == code, text
            if code == case.code != 0:
                assert re.search(case.names, ran.err), text


def test_what_was_checked_out_can_be_looked_at(hostile_template: Path, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "tree-deep-cache")
    scene = made(case, hostile_template, tmp_path / "place")
    cli = CommandLine(scene.mine)
    for _ in range(2):
        ran = cli("checkout")
        assert ran.code == 9, ran
    assert (scene.mine / "/".join("d" * 200)).is_dir()
    scene.git("rm", "-q", "d.dvt", at=scene.mine)
    for verb in ("status", "checkout", "status"):
        ran = cli(verb)
        assert ran.code == 0, (verb, ran)


def test_there_are_cases_of_every_kind() -> None:
    assert len(CASES) >= 64
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.refusing <= EVERY | {"fsck", "gc", "drop"} for case in CASES)

"""A checkout is killed, and the user goes back to the version before: nothing that it placed is taken for a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.cases import CASES
from tests.faults.injector import FULL
from tests.faults.injector import KILL
from tests.faults.injector import TORN
from tests.faults.injector import Fault
from tests.faults.injector import Injector
from tests.faults.sweep import FULL_SWEEP
from tests.faults.world import Files
from tests.faults.world import World
from tests.faults.world import read_files

pytestmark = pytest.mark.crash

STEP = 1 if FULL_SWEEP else 13


@pytest.mark.parametrize("fault", [KILL, TORN, FULL], ids=lambda fault: str(fault.name))
def test_back_to_the_version_before(injector: Injector, folder: Path, fault: Fault) -> None:
    case = next(case for case in CASES if case.name == "checkout-switch")
    world = World(folder / "world", injector)
    case.prepare(world)
    world.save()
    second = data(world)
    refused: list[object] = []
    at = 1
    while True:
        world.restore()
        met = injector.run(case.argv, world.place, below=world.path, fault=fault, at=at)
        world.git("checkout", "-q", "v2")
        back = injector.run(("checkout",), world.place, below=world.path)
        if back.code != 0 or data(world) != second:
            refused.append((at, met.call, met.path, back.err))
        if not met.fired:
            break
        at += STEP
    assert not refused
    assert at > STEP


def data(world: World) -> Files:
    return read_files(world.place / "data")

"""The power goes at any moment of a command: some of the disks that it can leave; all of them in `make torture`."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.crash.cases import CASES
from tests.faults.injector import Injector
from tests.faults.power import PowerSweep
from tests.faults.sweep import FULL_SWEEP
from tests.faults.verdict import Case

pytestmark = pytest.mark.crash

DISKS = 4
POWERED = tuple(case for case in CASES if not (case.stages or case.starts))


@pytest.mark.parametrize("case", POWERED, ids=lambda case: str(case.name))
def test_nothing_is_lost_with_the_power(injector: Injector, folder: Path, case: Case) -> None:
    sweep = PowerSweep(injector, folder, case)
    assert sweep.describe(sweep.replayed) == sweep.describe(sweep.real)
    disks = list(sweep.losses())
    tally = sweep.tally()
    step = 1 if FULL_SWEEP else max(1, len(disks) // DISKS)
    sweep.run(tally, islice(disks, len(case.name) % step, None, step))
    print(tally, "of", len(disks), file=sys.stderr)
    assert tally.points >= 3
    assert not tally.violations, "\n".join(tally.violations[:20])

"""Every promise at every kill point and every failing call: all with ``DVTOOL_SWEEP=full``, else some, or so many."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.cases import CASES
from tests.faults.injector import FAULTS
from tests.faults.injector import Injector
from tests.faults.sweep import ASKED
from tests.faults.sweep import Case
from tests.faults.sweep import Sweep

pytestmark = pytest.mark.crash

MEMORY = 512 << 20
SHOWN = 20


@pytest.fixture(scope="module")
def injector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Injector]:
    with Injector(tmp_path_factory.mktemp("faults")) as injector:
        yield injector


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where that is possible: each point copies its world, and syncs to a disk take most of the time."""
    memory = Path("/dev/shm")
    if ASKED or not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < MEMORY:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="dvtool-", dir=memory) as folder:
        yield Path(folder)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_no_fault_breaks_a_promise(injector: Injector, folder: Path, case: Case) -> None:
    sweep = Sweep(injector, folder, case)
    tallies = [sweep.run(fault) for fault in FAULTS]
    print(*tallies, sep="\n", file=sys.stderr)
    violations = [violation for tally in tallies for violation in tally.violations]
    assert all(tally.hit for tally in tallies), tallies
    assert not violations, "\n".join([*map(str, tallies), *violations[:SHOWN], f"{len(violations)} in all"])

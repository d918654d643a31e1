"""Every promise at every kill point and every failing call: all with ``DVTOOL_SWEEP=full``, else some, or so many."""

from __future__ import annotations

import faulthandler
import sys
from pathlib import Path

import pytest

from dvtool.cli.table import VERBS
from tests.crash.cases import CASES
from tests.faults.injector import FAULTS
from tests.faults.injector import Injector
from tests.faults.sweep import FULL_SWEEP
from tests.faults.sweep import Sweep
from tests.faults.verdict import Case

pytestmark = pytest.mark.crash

SHOWN = 20
# What changes nothing that is anybody's.
READING = frozenset(
    "status diff report log whereused list du op dag why runs metrics params whereis lint verify check-ignore "
    "completion doctor root version".split()
)
# `plan` writes the one file that it is told to; `apply` is `repro` of what that says; `cache dir` is `config`.
LIKE_OTHERS = frozenset({"plan", "apply", "cache"})


def test_every_verb_that_changes_something_is_swept() -> None:
    assert {case.argv[0] for case in CASES} - {"git-hook"} == VERBS.keys() - READING - LIKE_OTHERS


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.name))
def test_no_fault_breaks_a_promise(injector: Injector, folder: Path, case: Case) -> None:
    if FULL_SWEEP:
        # It takes minutes; a command that hangs is ended by the fork server.
        faulthandler.cancel_dump_traceback_later()
    sweep = Sweep(injector, folder, case)
    tallies = [sweep.run(fault) for fault in FAULTS]
    print(*tallies, sep="\n", file=sys.stderr)
    violations = [violation for tally in tallies for violation in tally.violations]
    assert all(tally.hit for tally in tallies), tallies
    assert not violations, "\n".join([*map(str, tallies), *violations[:SHOWN], f"{len(violations)} in all"])

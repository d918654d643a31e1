"""Connections that break at random under push and pull: a few runs of each; a hundred in `make torture`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.faults.cuts import CutSweep
from tests.faults.cuts import http_line
from tests.faults.cuts import s3_line
from tests.faults.cuts import webdav_line
from tests.faults.cutting import CuttingRelay
from tests.faults.injector import Injector
from tests.faults.sweep import Tally
from tests.support.nginx import Nginx
from tests.support.nginx import nginx
from tests.support.seaweed import Seaweed
from tests.support.seaweed import seaweed

__all__ = ["nginx", "seaweed"]

pytestmark = pytest.mark.crash

TIMES = 3


@pytest.mark.s3
def test_s3(injector: Injector, seaweed: Seaweed, folder: Path) -> None:
    line = s3_line(seaweed)
    with CuttingRelay(line.server) as relay:
        sweep = CutSweep(injector, folder / "cuts", line, relay)
        judge(sweep.push(TIMES), sweep.pull(TIMES))


def test_webdav(injector: Injector, nginx: Nginx, folder: Path) -> None:
    line = webdav_line(nginx)
    with CuttingRelay(line.server) as relay:
        sweep = CutSweep(injector, folder / "cuts", line, relay)
        judge(sweep.push(TIMES), sweep.pull(TIMES))


def test_http(injector: Injector, nginx: Nginx, folder: Path) -> None:
    line = http_line(nginx)
    with CuttingRelay(line.server) as relay:
        sweep = CutSweep(injector, folder / "cuts", line, relay)
        judge(sweep.pull(TIMES))


def judge(*tallies: Tally) -> None:
    for tally in tallies:
        print(tally, file=sys.stderr)
        assert tally.hit == TIMES
        assert not tally.violations, "\n".join(tally.violations)

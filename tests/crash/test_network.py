"""push and pull through a network that goes wrong: some requests of each; every request in `make torture`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.faults.injector import Injector
from tests.faults.network import NetworkSweep
from tests.faults.proxy import KINDS
from tests.faults.proxy import Kind
from tests.faults.proxy import Proxy
from tests.faults.sweep import FULL_SWEEP
from tests.faults.sweep import Tally
from tests.support.seaweed import Seaweed
from tests.support.seaweed import seaweed

__all__ = ["seaweed"]

pytestmark = [pytest.mark.crash, pytest.mark.s3]

POINTS = None if FULL_SWEEP else 1


@pytest.fixture(scope="module")
def sweep(injector: Injector, seaweed: Seaweed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkSweep]:
    with Proxy(seaweed.endpoint) as proxy:
        yield NetworkSweep(injector, tmp_path_factory.mktemp("network"), seaweed, proxy)


@pytest.mark.parametrize("kind", KINDS)
def test_push(sweep: NetworkSweep, kind: Kind) -> None:
    judge(sweep.push(kind, POINTS))


@pytest.mark.parametrize("kind", KINDS)
def test_pull(sweep: NetworkSweep, kind: Kind) -> None:
    judge(sweep.pull(kind, POINTS))


def judge(tally: Tally) -> None:
    print(tally, file=sys.stderr)
    assert tally.hit
    assert not tally.violations, "\n".join(tally.violations[:20])

"""The instrument itself: what it counts, and that each fault really happens."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.injector import BROKEN
from tests.faults.injector import FULL
from tests.faults.injector import KILL
from tests.faults.injector import READ_ONLY
from tests.faults.injector import TORN
from tests.faults.injector import Fault
from tests.faults.injector import Injector

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def injector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Injector]:
    with Injector(tmp_path_factory.mktemp("shim")) as injector:
        yield injector


INIT = ("init", "--no-scm")


def test_calls_elsewhere_do_not_count(injector: Injector, tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "other").mkdir()
    assert injector.run(INIT, tmp_path / "repo", below=tmp_path / "other", fault=KILL, at=1).code == 0
    assert (tmp_path / "repo/.dvtool").is_dir()


def test_the_process_ends_before_the_call(injector: Injector, tmp_path: Path) -> None:
    met = injector.run(INIT, tmp_path, below=tmp_path, fault=KILL, at=1)
    assert (met.code, met.fired, met.count) == (-signal.SIGKILL, 1, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_torn_write_is_half_done(injector: Injector, tmp_path: Path) -> None:
    met = injector.run(INIT, tmp_path, below=tmp_path, fault=TORN, at=1)
    assert met.code == -signal.SIGKILL
    assert met.call in ("write", "pwrite", "pwrite64")
    assert Path(met.path).stat().st_size > 0


@pytest.mark.parametrize(
    ("fault", "text"),
    [(FULL, "No space left on device"), (BROKEN, "Input/output error"), (READ_ONLY, "Read-only file system")],
)
def test_the_error_reaches_the_command(injector: Injector, tmp_path: Path, fault: Fault, text: str) -> None:
    met = injector.run(INIT, tmp_path, below=tmp_path, fault=fault, at=1)
    assert met.code == 7
    assert text in met.err
    assert met.fired

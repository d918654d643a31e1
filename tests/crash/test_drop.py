"""A drop that is killed anywhere: nothing is lost, the same command finishes it, `pull` brings all back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.processes import git
from tests.faults.injector import BROKEN
from tests.faults.injector import FULL
from tests.faults.injector import KILL
from tests.faults.injector import NONE
from tests.faults.injector import TORN
from tests.faults.injector import Fault
from tests.faults.injector import Injector
from tests.faults.sweep import FULL_SWEEP
from tests.support.datasets import content
from tests.support.trees import Tree
from tests.support.trees import assert_tree
from tests.support.trees import create_tree

pytestmark = pytest.mark.crash

POINTS = 1_000 if FULL_SWEEP else 3
DATA: Tree = {
    "data": {
        **{str(number): content(number, 2_000) for number in range(30)},
        "large": content("large", 200_000),
        "sub": {"x": b"x"},
    },
    "other": {**{str(number): content(-number - 1, 2_000) for number in range(30)}, "same": b"x"},
}


@pytest.fixture(scope="module")
def injector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Injector]:
    with Injector(tmp_path_factory.mktemp("shim")) as started:
        yield started


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, injector: Injector) -> Path:
    """Two directories in one pack; both are pushed."""
    world = tmp_path_factory.mktemp("original")
    repo = world / "repo"
    repo.mkdir()
    git(repo, "init", "-q")
    (world / "remote").mkdir()
    create_tree(repo, DATA)
    for argv in (("init",), ("remote", "add", "-d", "origin", "../remote"), ("add", "data", "other"), ("push",)):
        assert injector.run(argv, repo, below=world).code == 0
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "data")
    return world


@pytest.mark.parametrize("fault", [KILL, TORN, BROKEN, FULL], ids=lambda fault: str(fault.name))
def test_it_is_finished_or_taken_back(original: Path, tmp_path: Path, injector: Injector, fault: Fault) -> None:
    world = tmp_path / "world"
    shutil.copytree(original, world, symlinks=True)
    repo = world / "repo"
    calls = injector.run(("drop", "data"), repo, below=world, fault=fault._replace(mode=NONE.mode)).count
    for at in range(1, calls + 1, max(1, calls // POINTS)):
        shutil.rmtree(world)
        shutil.copytree(original, world, symlinks=True)
        met = injector.run(("drop", "data"), repo, below=world, fault=fault, at=at)
        assert "Traceback" not in met.err, met
        assert not met.rewritten, met
        found = json.loads(injector.run(("fsck", "--deep", "--json"), repo, below=world).out)["findings"]
        kinds = {each["kind"] for each in found}
        assert kinds <= {"dropped", "leftover", "missing"}, (at, found)
        assert_tree(repo / "other", DATA["other"])  # type: ignore[arg-type]
        again = injector.run(("drop", "data"), repo, below=world)
        assert again.code == 0, (at, met, again)
        assert not (repo / "data").exists()
        back = injector.run(("pull",), repo, below=world)
        assert back.code == 0, (at, back)
        assert_tree(repo / "data", DATA["data"])  # type: ignore[arg-type]
        assert injector.run(("status", "--exit-code"), repo, below=world).code == 0

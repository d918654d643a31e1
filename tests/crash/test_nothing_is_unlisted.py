"""Whatever a kill leaves, `recover` lists."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.processes import git
from tests.faults.injector import KILL
from tests.faults.injector import NONE
from tests.faults.injector import TORN
from tests.faults.injector import Fault
from tests.faults.injector import Injector
from tests.faults.sweep import FULL_SWEEP
from tests.support.datasets import content
from tests.support.trees import create_tree

pytestmark = pytest.mark.crash

POINTS = 200 if FULL_SWEEP else 3
CASES = [
    ("add", "data", "new"),
    ("checkout", "--force"),
    ("push",),
    ("pull", "--force"),
    ("drop", "pushed"),
    ("move", "data", "moved"),
    ("remove", "--outs", "pushed"),
    ("config", "core.jobs", "2"),
]


@pytest.fixture(scope="module")
def injector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Injector]:
    with Injector(tmp_path_factory.mktemp("shim")) as started:
        yield started


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, injector: Injector) -> Path:
    """What is pushed, what is changed since, what is new."""
    world = tmp_path_factory.mktemp("original")
    repo = world / "repo"
    repo.mkdir()
    git(repo, "init", "-q")
    (world / "remote").mkdir()
    create_tree(
        repo,
        {
            "pushed": {"a": content("a", 3_000), "large": content("large", 200_000)},
            "data": {"b": content("b", 3_000), "c": content("c", 150_000), "sub": {"d": b"d"}},
        },
    )
    for argv in (
        ("init",),
        ("remote", "add", "-d", "origin", "../remote"),
        ("add", "pushed", "data"),
        ("push", "pushed"),
    ):
        ended = injector.run(argv, repo, below=world)
        assert ended.code == 0, ended
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "data")
    create_tree(repo, {"data": {"b": b"changed", "e": content("e", 140_000)}, "new": b"new"})
    return world


@pytest.mark.parametrize("fault", [KILL, TORN], ids=lambda fault: str(fault.name))
@pytest.mark.parametrize("argv", CASES, ids=" ".join)
def test_all_that_is_left_is_listed(
    original: Path, tmp_path: Path, injector: Injector, argv: tuple[str, ...], fault: Fault
) -> None:
    world = tmp_path / "world"
    shutil.copytree(original, world, symlinks=True)
    calls = injector.run(argv, world / "repo", below=world, fault=fault._replace(mode=NONE.mode)).count
    for at in range(1, calls + 1, max(1, calls // POINTS)):
        shutil.rmtree(world)
        shutil.copytree(original, world, symlinks=True)
        injector.run(argv, world / "repo", below=world, fault=fault, at=at)
        found = own_files(world / "repo")
        listed = injector.run(("recover", "--json"), world / "repo", below=world)
        assert listed.code == 0, listed
        left = json.loads(listed.out)["left"]
        assert found <= {row["path"] for row in left}, (at, left)
        assert own_files(world / "repo") == found


def own_files(place: Path) -> set[str]:
    """Temporaries of dvtool; what lies in an unfinished directory is listed with it."""
    return {
        str(path)
        for path in place.rglob(".dvtool-*")
        if not any(part.startswith(".dvtool-") for part in path.relative_to(place).parts[:-1])
    }

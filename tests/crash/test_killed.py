"""Real processes killed with SIGKILL wherever they happen to be, over and over, then once left alone."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.busy import BUSY
from tests.crash.processes import cache_of
from tests.crash.processes import dvtool
from tests.crash.processes import git
from tests.crash.processes import new_project
from tests.crash.processes import start
from tests.crash.processes import whole
from tests.faults.injector import Injector
from tests.faults.sweep import FULL_SWEEP
from tests.faults.sweep import Sweep
from tests.faults.verdict import Case
from tests.faults.world import content
from tests.faults.world import digests
from tests.faults.world import read_files
from tests.support.trees import Tree
from tests.support.trees import create_tree

pytestmark = pytest.mark.crash

ROUNDS = 60 if FULL_SWEEP else 5
ROUNDS_OF_FORKS = 200 if FULL_SWEEP else 12
LONGEST = 0.6
"""Seconds. Starting Python takes the first of them; what matters is only that the moments differ."""
LARGE = 400 << 10


def tree(name: str) -> Tree:
    small = {f"{number:03}.bin": content(f"{name} {number}", 2_000) for number in range(300)}
    return {**small, "large": {f"{number}.bin": content(f"{name} large {number}", LARGE) for number in range(4)}}


def killed_again_and_again(place: Path, argv: tuple[str, ...], check: Callable[[], None]) -> None:
    """Run and kill *argv*, *check* after each time; then run it to its end."""
    moments = random.Random(" ".join(argv))
    for _ in range(ROUNDS):
        process = start(place, *argv)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=moments.uniform(0.15, LONGEST))
        process.kill()
        _, errors = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), errors
        check()
    dvtool(place, *argv)
    check()


def test_add(tmp_path: Path) -> None:
    place = new_project(tmp_path / "repo")
    create_tree(place / "data", tree("one"))
    before = read_files(place / "data")
    pointer = place / "data.dvt"

    def check() -> None:
        assert read_files(place / "data") == before
        whole(cache_of(place), *([pointer] if pointer.exists() else []))

    killed_again_and_again(place, ("add", "data"), check)
    assert pointer.exists()


def test_checkout_of_one_version_and_the_other(tmp_path: Path) -> None:
    place = new_project(tmp_path / "repo")
    versions = {}
    for name in ("one", "two"):
        shutil.rmtree(place / "data", ignore_errors=True)
        create_tree(place / "data", tree(name))
        versions[name] = read_files(place / "data")
        dvtool(place, "add", "data")
        git(place, "add", ".")
        git(place, "commit", "-q", "-m", name)
        git(place, "tag", name)
    needed = digests(versions["one"]) | digests(versions["two"])

    def check() -> None:
        held = whole(cache_of(place), place / "data.dvt")
        assert needed <= held.blobs.keys()

    for name in ("one", "two"):
        git(place, "checkout", "-q", name)
        killed_again_and_again(place, ("checkout",), check)
        assert read_files(place / "data") == versions[name]


def test_push_and_pull(tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    remote.mkdir()
    place = new_project(tmp_path / "repo")
    dvtool(place, "remote", "add", "-d", "origin", str(remote))
    create_tree(place / "data", tree("one"))
    dvtool(place, "add", "data")
    git(place, "add", ".")
    git(place, "commit", "-q", "-m", "data")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(place), str(clone))

    def check_remote() -> None:
        whole(remote)

    def check_clone() -> None:
        whole(cache_of(clone))

    killed_again_and_again(place, ("push",), check_remote)
    whole(remote, place / "data.dvt")
    killed_again_and_again(clone, ("pull",), check_clone)
    assert read_files(clone / "data") == read_files(place / "data")


@pytest.mark.parametrize("case", BUSY, ids=lambda case: str(case.name))
def test_several_threads_killed_wherever_they_are(injector: Injector, folder: Path, case: Case) -> None:
    tally = Sweep(injector, folder, case).run_killed(ROUNDS_OF_FORKS)
    assert tally.hit
    assert not tally.violations, "\n".join(tally.violations[:20])

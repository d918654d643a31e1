"""Commands that are at work at the same time, in one workspace, one cache, one remote."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash.processes import ROOT
from tests.crash.processes import all_succeed
from tests.crash.processes import cache_of
from tests.crash.processes import dvtool
from tests.crash.processes import git
from tests.crash.processes import new_project
from tests.crash.processes import start
from tests.crash.processes import whole
from tests.faults.world import content
from tests.faults.world import read_files
from tests.support.trees import Tree
from tests.support.trees import create_tree

pytestmark = pytest.mark.crash

LARGE = 150 << 10


def tree(name: str, files: int = 30) -> Tree:
    small = {f"{number}.txt": f"{name} {number}\n" for number in range(files)}
    return {**small, "large.bin": content(name, LARGE), "below": {"shared.bin": content("shared", LARGE)}}


def test_two_adds_in_one_workspace(tmp_path: Path) -> None:
    place = new_project(tmp_path / "repo")
    for name in ("one", "two"):
        create_tree(place / name, tree(name))

    all_succeed([start(place, "add", "one"), start(place, "add", "two"), start(place, "add", "one", "two")])

    whole(cache_of(place), place / "one.dvt", place / "two.dvt")
    assert sorted((place / ".gitignore").read_text().split()) == ["/one", "/two"]
    dvtool(place, "status")


def test_adds_beside_looks(tmp_path: Path) -> None:
    place = new_project(tmp_path / "repo")
    create_tree(place / "data", tree("first"))
    dvtool(place, "add", "data")
    create_tree(place / "data", tree("second"))

    all_succeed([start(place, "status"), start(place, "add", "data"), start(place, "status"), start(place, "diff")])

    whole(cache_of(place), place / "data.dvt")
    dvtool(place, "status", "--json")


def test_eight_workspaces_add_the_same_tree_into_one_cache(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = new_project(tmp_path / "0")
    places = [first]
    for number in range(1, 8):
        place = tmp_path / str(number)
        git(tmp_path, "clone", "-q", str(first), str(place))
        places.append(place)
    for place in places:
        (place / ".git/dvtool").mkdir(exist_ok=True)
        (place / ".git/dvtool/config").write_text(f'[cache]\n\tdir = "{cache}"\n')
        create_tree(place / "data", tree("same"))

    all_succeed([start(place, "add", "data") for place in places])

    found = whole(cache, *(place / "data.dvt" for place in places))
    assert len({(place / "data.dvt").read_bytes() for place in places}) == 1
    assert len(list((cache / "roots").iterdir())) == len(places)
    assert not found.leftovers


def test_two_clones_push_at_once(tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    remote.mkdir()
    one = new_project(tmp_path / "one")
    dvtool(one, "remote", "add", "-d", "origin", str(remote))
    create_tree(one / "data", tree("base"))
    dvtool(one, "add", "data")
    git(one, "add", ".")
    git(one, "commit", "-q", "-m", "base")
    dvtool(one, "push")
    two = tmp_path / "two"
    git(tmp_path, "clone", "-q", str(one), str(two))
    dvtool(two, "pull")
    for place in (one, two):
        create_tree(place / "data", tree(place.name))
        dvtool(place, "add", "data")
        git(place, "add", ".")
        git(place, "commit", "-q", "-m", place.name)

    all_succeed([start(one, "push"), start(two, "push")])

    whole(remote, one / "data.dvt", two / "data.dvt")
    for place in (one, two):
        clone = tmp_path / f"{place.name}-again"
        git(tmp_path, "clone", "-q", str(place), str(clone))
        dvtool(clone, "pull")
        assert read_files(clone / "data") == read_files(place / "data")


def test_a_push_beside_an_add_and_a_checkout_beside_another(tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    remote.mkdir()
    place = new_project(tmp_path / "repo")
    dvtool(place, "remote", "add", "-d", "origin", str(remote))
    create_tree(place / "data", tree("data"))
    create_tree(place / "more", tree("more"))
    dvtool(place, "add", "data")
    before = read_files(place / "data")
    shutil.rmtree(place / "data")

    all_succeed([start(place, "push"), start(place, "add", "more"), start(place, "checkout", "data")])
    all_succeed([start(place, "checkout"), start(place, "checkout"), start(place, "push")])

    assert read_files(place / "data") == before
    whole(cache_of(place), place / "data.dvt", place / "more.dvt")
    whole(remote, place / "data.dvt", place / "more.dvt")


HALF = """
import os, sys
from dvtool.api.add import AddRequest, add
from dvtool.model.ports import Silent
from dvtool.project.environment import Environment
from dvtool.project.open import open_project

class Stopping(Silent):
    seen = 0
    def advance(self, amount):
        self.seen += amount
        if self.seen >= 800:
            print("half", flush=True)
            sys.stdin.read()
            self.seen = -10**9

project = open_project(b".", Environment(dict(os.environ), b"/", os.getcwdb()))
add(project, AddRequest((b"many",)), Stopping())
"""


@contextmanager
def half_done(place: Path) -> Iterator[subprocess.Popen[str]]:
    """An ``add many`` that has seen half of its files and goes on when its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HALF],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        yield process


def test_a_long_add_keeps_nobody_from_looking(tmp_path: Path) -> None:
    """It stands still with half of its files seen: who looks meanwhile is done, and remembers what it saw."""
    place = new_project(tmp_path / "repo")
    create_tree(place / "data", tree("data"))
    create_tree(place / "many", {f"{number}": {f"{k}": f"{number} {k}" for k in range(4)} for number in range(400)})
    dvtool(place, "add", "data")
    create_tree(place / "data", tree("other"))
    with half_done(place) as long:
        all_succeed([start(place, "status"), start(place, "diff"), start(place, "list", ".")])
        with closing(sqlite3.connect(place / ".git/dvtool/memo.sqlite", isolation_level=None, timeout=0)) as memo:
            memo.execute("BEGIN IMMEDIATE")
            memo.execute("ROLLBACK")
        long.communicate("")
    assert long.returncode == 0
    whole(cache_of(place), place / "data.dvt", place / "many.dvt")


def test_no_lock_outlives_a_killed_process(tmp_path: Path) -> None:
    """One stands still in the middle, one waits for it, others refuse to wait; then the first is killed."""
    place = new_project(tmp_path / "repo")
    create_tree(place / "many", {f"{number}": {f"{k}": f"{number} {k}" for k in range(4)} for number in range(400)})
    create_tree(place / "data", tree("data"))
    with half_done(place) as stopped:
        waiting = start(place, "add", "data")
        assert waiting.stderr is not None
        line = waiting.stderr.readline()
        assert line.startswith(f"waiting for {place}/.git/dvtool/lock, in use by pid {stopped.pid} on "), line
        assert line.rstrip().endswith(": dvtool add")
        for argv in (("add", "data"), ("checkout",), ("gc", "-w", "-f", "--grace", "0")):
            refused = start(place, *argv, "--no-wait")
            _, err = refused.communicate()
            assert refused.returncode == 5, err
            assert f"in use by pid {stopped.pid} on " in err, err
        assert waiting.poll() is None
        stopped.kill()
        stopped.wait()
        all_succeed([waiting])
    all_succeed([start(place, "gc", "-w", "-f", "--grace", "0", "--no-wait")])
    all_succeed([start(place, "add", "many", "--no-wait")])
    whole(cache_of(place), place / "data.dvt", place / "many.dvt")

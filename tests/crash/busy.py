"""Commands with enough to do that several threads are at work, to be killed at any time."""

from __future__ import annotations

import shutil

from tests.crash import cases
from tests.faults.verdict import Case
from tests.faults.world import World
from tests.faults.world import content
from tests.support.trees import Tree
from tests.support.trees import create_tree

LARGE = 300 << 10


def tree(name: str) -> Tree:
    """A few hundred small files, several that are loose in the cache."""
    small = {f"{number:03}.bin": content(f"{name} {number}", 1500) for number in range(150)}
    loose = {f"{number}.bin": content(f"{name} large {number}", LARGE) for number in range(6)}
    return {**small, "large": loose, "same": {"same.bin": content("same", LARGE)}}


def _write(world: World, name: str) -> None:
    shutil.rmtree(world.place / "data", ignore_errors=True)
    create_tree(world.place / "data", tree(name))


def _new(world: World) -> None:
    cases.begin(world)
    _write(world, "one")


def _first(world: World) -> None:
    _new(world)
    cases.record(world, "v1")


def _second(world: World) -> None:
    _first(world)
    _write(world, "two")
    cases.record(world, "v2")


def _changed(world: World) -> None:
    _first(world)
    _write(world, "two")


def _other(world: World) -> None:
    _second(world)
    world.git("checkout", "-q", "v1")


def _pushed(world: World) -> None:
    _first(world)
    world.dvtool("push")
    world.git("clone", "-q", str(world.repo), str(world.clone))
    world.place = world.clone


BUSY = (
    Case("add", ("add", "data"), _new, stores=True),
    Case("commit", ("commit",), _changed, stores=True),
    Case("checkout", ("checkout",), _other),
    Case("push", ("push",), _second, pushes=True),
    Case("pull", ("pull",), _pushed, stores=True),
)

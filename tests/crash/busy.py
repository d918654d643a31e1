"""Commands with enough to do that several threads are at work, to be killed at any time."""

from __future__ import annotations

import shutil

from tests.crash import beginnings
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
    beginnings.begin(world)
    _write(world, "one")


def _first(world: World) -> None:
    _new(world)
    beginnings.record(world, "v1")


def _second(world: World) -> None:
    _first(world)
    _write(world, "two")
    beginnings.record(world, "v2")


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


def _stages() -> str:
    """Eight stages that nothing ties together, with outputs of both kinds, and one that needs them all."""
    made = [f"made{number}" for number in range(8)]
    lines = ["stages:"]
    for number, name in enumerate(made):
        lines += [
            f"  {name}:",
            f"    cmd: mkdir {name} && cat in > {name}/small && cat in {number}.bin > {name}/large",
            f"    deps: [in, {number}.bin]",
            f"    outs: [{name}]",
        ]
    lines += ["  all:", f"    cmd: cat {'/small '.join(made)}/small > all", f"    deps: [{', '.join(made)}]"]
    return "\n".join([*lines, "    outs: [all]", ""])


def _ran(world: World) -> None:
    """Everything ran once; then the input changed."""
    beginnings.begin(world)
    (world.place / "dvtool.yaml").write_text(_stages())
    (world.place / "in").write_text("banana\n")
    for number in range(8):
        (world.place / f"{number}.bin").write_bytes(content(f"input {number}", 100_000))
    world.dvtool("repro")
    world.git("add", ".")
    world.git("commit", "-q", "-m", "made")
    (world.place / "in").write_text("bananas\n")


BUSY = (
    Case("add", ("add", "data"), _new, stores=True),
    Case("commit", ("commit",), _changed, stores=True),
    Case("checkout", ("checkout",), _other),
    Case("push", ("push",), _second, pushes=True),
    Case("pull", ("pull",), _pushed, stores=True),
    Case("repro", ("repro", "-j", "4"), _ran, stores=True, aside=True, starts=True),
)

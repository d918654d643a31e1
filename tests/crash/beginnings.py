"""What the worlds of the swept commands begin with."""

from __future__ import annotations

import shutil

from tests.faults.world import World
from tests.faults.world import content
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Tree
from tests.support.trees import create_tree

LOOSE = 150 << 10
"""Over `dvtool.store.cache.LOOSE_FROM`: one file of its own in the cache."""
CUT = (4 << 20) + 12_345
"""Over `dvtool.store.chunker.CHUNKED_FROM`: sent in pieces."""

V1: Tree = {
    "a.txt": "one\n" * 50,
    "b.bin": content("b", 3000),
    "zero": "",
    "run.sh": Executable("#!/bin/sh\n"),
    "link": Link("a.txt"),
    "empty": {},
    b"odd \xff\nname": "odd\n",
    "big.bin": content("big one", LOOSE),
    "same.bin": content("same", LOOSE),
    "sub": {"c.txt": "c\n", "deep": {"d.bin": content("d", 500)}},
    "swap": "a file in v1",
    "turn": {"x": "a directory in v1"},
}
V2: Tree = {
    "a.txt": "two\n" * 60,
    "zero": "",
    "run.sh": "#!/bin/sh\n",
    "link": Link("zero"),
    b"odd \xff\nname": "odd\n",
    "big.bin": content("big two", LOOSE + 1),
    "same.bin": content("same", LOOSE),
    "sub": {"c.txt": "c\n", "e.bin": content("e", 700)},
    "swap": {"y": "a directory in v2"},
    "turn": "a file in v2",
    "new": {"n.txt": "n\n"},
}


def git_only(world: World) -> None:
    for folder in (world.repo, world.remote, world.outside):
        folder.mkdir(parents=True)
    (world.outside / "canary").write_text("nobody's business")
    world.git("init", "-q")


def begin(world: World) -> None:
    """A project with a remote, and a file outside that is nobody's business."""
    git_only(world)
    world.dvtool("init")
    world.dvtool("remote", "add", "-d", "origin", str(world.remote))
    if world.link != "copy":
        world.dvtool("config", "cache.type", world.link)
    world.git("add", ".")
    world.git("commit", "-q", "-m", "begin")


def write(world: World, tree: Tree) -> None:
    shutil.rmtree(world.place / "data", ignore_errors=True)
    create_tree(world.place / "data", tree)


def record(world: World, tag: str) -> None:
    """Add ``data``, commit, tag."""
    world.dvtool("add", "data")
    world.git("add", ".")
    world.git("commit", "-q", "-m", tag)
    world.git("tag", tag)

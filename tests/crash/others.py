"""Worlds with another repository, or with one of another tool."""

from __future__ import annotations

import hashlib
import json

from tests.crash.beginnings import LOOSE
from tests.crash.beginnings import V1
from tests.crash.beginnings import V2
from tests.crash.beginnings import begin
from tests.crash.beginnings import git_only
from tests.crash.beginnings import record
from tests.crash.beginnings import write
from tests.faults.world import World
from tests.faults.world import content


def source(world: World) -> None:
    """Another repository, at whose head a directory has a second version, and one that imports the first."""
    begin(world)
    theirs = world.outside / "theirs"
    theirs.mkdir()
    world.place = theirs
    world.git("init", "-q", "-b", "main")
    world.dvtool("init")
    write(world, V1)
    record(world, "v1")
    world.place = world.repo


def imported(world: World) -> None:
    """Its source has moved on since."""
    source(world)
    world.dvtool("import", "../outside/theirs", "data")
    world.git("add", ".")
    world.git("commit", "-q", "-m", "imported")
    world.place = world.outside / "theirs"
    write(world, V2)
    record(world, "v2")
    world.place = world.repo


def of_dvc(world: World) -> None:
    """What DVC writes: a file, a directory, an ignore file, settings, a pipeline and its lock; its cache has it all."""
    git_only(world)
    cache = world.repo / ".dvc/cache/files/md5"

    def store(data: bytes, suffix: str = "") -> str:
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        (cache / digest[:2]).mkdir(parents=True, exist_ok=True)
        (cache / digest[:2] / (digest[2:] + suffix)).write_bytes(data)
        return digest + suffix

    files = {"a.txt": b"one\n" * 50, "sub/c.bin": content("c", LOOSE)}
    listing = [{"md5": store(data), "relpath": path} for path, data in files.items()]
    directory = store(json.dumps(listing).encode(), ".dir")
    size = sum(map(len, files.values()))
    model = store(content("model", 3000))
    texts = {
        ".dvc/config": f"[core]\n    remote = origin\n['remote \"origin\"']\n    url = {world.remote}\n",
        ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
        ".dvcignore": "*.tmp\n",
        ".gitignore": "/data\n/model\n",
        "data.dvc": f"outs:\n- md5: {directory}\n  size: {size}\n  nfiles: 2\n  hash: md5\n  path: data\n",
        "dvc.yaml": "stages:\n  train:\n    cmd: ./train > model\n    deps:\n    - data\n    outs:\n    - model\n",
        "dvc.lock": "schema: '2.0'\nstages:\n  train:\n    cmd: ./train > model\n    deps:\n    - path: data\n"
        f"      hash: md5\n      md5: {directory}\n      size: {size}\n      nfiles: 2\n    outs:\n    - path: model\n"
        f"      hash: md5\n      md5: {model}\n      size: 3000\n",
    }
    for path, text in texts.items():
        (world.repo / path).write_text(text)
    for path, data in files.items():
        (world.repo / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        (world.repo / "data" / path).write_bytes(data)
    (world.repo / "model").write_bytes(content("model", 3000))
    world.git("add", ".")
    world.git("commit", "-q", "-m", "dvc")

"""Many commands at the same time, round after round; and files rewritten in the tick in which they were read."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from dvtool.hashing.digests import object_id
from dvtool.model.ports import SILENT
from dvtool.project.parts import open_worktree
from dvtool.workspace.sinks import HashSink
from tests.crash.processes import dvtool
from tests.crash.processes import git
from tests.crash.processes import new_project
from tests.crash.processes import start
from tests.faults.checker import read_store
from tests.faults.sweep import Tally
from tests.faults.world import content
from tests.faults.world import read_files
from tests.support.trees import Node
from tests.support.trees import create_tree
from tests.support.workbench import Workbench

LARGE = 150 << 10


def same_tree(folder: Path, *, processes: int, files: int, rounds: int) -> Tally:
    """*processes* workspaces add the same *files* into one cache at once, *rounds* times. ``hit``: commands."""
    tally = Tally(f"{processes} adds of the same {files:,} files", f"{rounds} rounds")
    cache = folder / "cache"
    places = _clones(folder, cache, [f"{number}" for number in range(processes)])
    for number in range(rounds):
        template = folder / "template"
        create_tree(template, _tree(number, files))
        for place in places:
            shutil.rmtree(place / "data", ignore_errors=True)
            subprocess.run(["cp", "-al", template, place / "data"], check=True)
        _together(tally, [(place, ("add", "data")) for place in places])
        pointers = {(place / "data.dvt").read_bytes() for place in places}
        if len(pointers) != 1:
            tally.violations.append(f"round {number}: {len(pointers)} different pointers")
        _expect_whole(tally, number, cache, pointers)
        _together(tally, [(places[0], ("fsck",))])
        shutil.rmtree(template)
        tally.points += 1
    return tally


def gc_beside(folder: Path, *, rounds: int) -> Tally:
    """gc, which keeps only what is needed, beside add, push, fetch and checkout on one cache. ``hit``: commands."""
    tally = Tally("gc beside add, push, fetch, checkout", f"{rounds} rounds")
    cache, remote = folder / "cache", folder / "remote"
    remote.mkdir()
    collector, adder, reader = _clones(folder, cache, ["collector", "adder", "reader"])
    for place in (collector, adder, reader):
        dvtool(place, "remote", "add", "-q", "--local", "-d", "store", str(remote))
    create_tree(collector / "own", _tree(-1, 20))
    dvtool(collector, "add", "-q", "own")
    kept = read_files(collector / "own")
    create_tree(adder / "data", _tree(0, 20))
    dvtool(adder, "add", "-q", "data")
    dvtool(adder, "push", "-q")
    for number in range(1, rounds + 1):
        shutil.copy(adder / "data.dvt", reader / "data.dvt")
        wanted = read_files(adder / "data")
        create_tree(adder / "data", _tree(number, 20))
        shutil.rmtree(reader / "data", ignore_errors=True)
        verb = ("pull", "--force") if number % 2 else ("checkout", "--force")
        _together(
            tally,
            [
                (collector, ("gc", "--workspace", "--grace", "0", "--no-trash", "--force")),
                (adder, ("add", "data")),
                (reader, verb),
                (reader, ("status",)),
            ],
        )
        _together(tally, [(collector, ("gc", "-w", "--grace", "0", "-f")), (adder, ("push",)), (reader, ("fetch",))])
        if read_files(reader / "data") != wanted:
            tally.violations.append(f"round {number}: what was checked out is not what the pointer says")
        pointers = {place / name for place, name in ((collector, "own.dvt"), (adder, "data.dvt"), (reader, "data.dvt"))}
        _expect_whole(tally, number, cache, {path.read_bytes() for path in pointers})
        _expect_whole(tally, number, remote, {(adder / "data.dvt").read_bytes()})
        tally.points += 1
    shutil.rmtree(collector / "own")
    _together(tally, [(collector, ("checkout",)), (adder, ("fsck",)), (adder, ("fsck", "--remote", "store"))])
    if read_files(collector / "own") != kept:
        tally.violations.append("what nobody touched did not come back")
    return tally


def rewrites(folder: Path, *, count: int, old_time: bool) -> Tally:
    """A file is written, looked at, and at once rewritten with the same size, *count* times: each must be seen.

    ``hit``: those that ``stat`` cannot tell apart, by time of change and of modification in the
    same tick; or with *old_time*, by the time of modification, which is put back. On a clock that is
    too fine for that *count* rewrites are made all the same.
    """
    tally = Tally("a file rewritten with the same size", "old mtime restored" if old_time else "in the same tick")
    bench = Workbench(folder / "repo")
    path = bench.root / "f"
    with open_worktree(bench.project) as worktree:

        def look() -> bytes:
            entry = worktree.snapshot(HashSink(), SILENT).tracked_file(b"f")
            return bytes(entry.raw)

        for number in range(2 * count):
            if tally.hit == count or (tally.points == count and not tally.hit):
                break
            data, other = b"%019d a" % number, b"%019d b" % number
            _write(path, data)
            before = path.stat()
            if look() != object_id(data):
                tally.violations.append(f"{number}: the first look was wrong")
            _write(path, other)
            if old_time:
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            after = path.stat()
            tally.points += 1
            is_same = after.st_mtime_ns == before.st_mtime_ns and (old_time or after.st_ctime_ns == before.st_ctime_ns)
            tally.hit += is_same
            if look() != object_id(other):
                tally.violations.append(f"{number}: the rewritten file was taken for the old one")
    return tally


def _write(path: Path, data: bytes) -> None:
    """In place, as an editor that keeps the file."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    os.pwrite(fd, data, 0)
    os.close(fd)


def _tree(version: int, files: int) -> dict[str, Node]:
    """Small files in directories of 100, a few of which differ from version to version, and two large ones."""
    tree: dict[str, Node] = {"large.bin": content(f"{version}", LARGE), "same.bin": content("same", LARGE)}
    for first in range(0, files, 100):
        names = range(first, min(first + 100, files))
        tree[f"d{first}"] = {f"{number}.txt": f"{number} {version if number % 3 else 0}\n" * 50 for number in names}
    return tree


def _clones(folder: Path, cache: Path, names: list[str]) -> list[Path]:
    """A project and clones of it, all on one cache."""
    first = new_project(folder / names[0])
    places = [first]
    for name in names[1:]:
        git(folder, "clone", "-q", str(first), str(folder / name))
        places.append(folder / name)
    for place in places:
        dvtool(place, "config", "-q", "--local", "cache.dir", str(cache))
    return places


def _together(tally: Tally, commands: list[tuple[Path, tuple[str, ...]]]) -> None:
    running = [(place, argv, start(place, *argv)) for place, argv in commands]
    for place, argv, process in running:
        out, err = process.communicate()
        tally.hit += 1
        if process.returncode != 0 or "Traceback" in err:
            tally.violations.append(
                f"{place.name}: {' '.join(argv)} ended with {process.returncode}: {err}{out}"[:2000]
            )


def _expect_whole(tally: Tally, number: int, store: Path, pointers: set[bytes]) -> None:
    found = read_store(store)
    tally.violations += [f"round {number}: {store.name}: {problem}" for problem in found.problems]
    for pointer in pointers:
        tally.violations += [f"round {number}: {store.name} lacks {one}" for one in found.lacks(pointer)]

"""How long the pieces of large files should be: what a second push sends, and what it costs to have more of them.

Counts bytes and objects with the real push and fetch against a directory, so it can run beside anything.

    python -m benchmarks.chunks --folder /tmp/chunks --out chunks.json
    python -m benchmarks.chunks --folder /tmp/chunks --scale 0.02 csv tar
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.chunkscenes import SCENES
from benchmarks.chunkscenes import Scene
from dvtool.formats.pack import RECIPE
from dvtool.formats.records import ChunkerSettings
from dvtool.formats.records import StoreFile
from dvtool.formats.records import encode_store_file
from dvtool.hashing.digests import new_hasher
from dvtool.model.digest import ObjectId
from dvtool.remote.counting import CountingRemote
from dvtool.remote.drivers.local import LocalRemote
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.store.names import INDEX
from dvtool.store.names import STORE_FILE
from dvtool.store.recipes import whole_recipe
from dvtool.transfer.fetch import fetch
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted

_KIB = 1 << 10
_MIB = 1 << 20
_LONGEST = 8 * _MIB
AVERAGES = (256 * _KIB, 512 * _KIB, _MIB, 2 * _MIB, 4 * _MIB)
DEFAULT = ChunkerSettings()


def main() -> None:
    options = _arguments()
    rows: list[dict[str, Any]] = []
    for name in options.scenes:
        scene = SCENES[name]
        folder = Path(options.folder, name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            rows += _measured(scene, folder, int(scene.size * options.scale))
        finally:
            shutil.rmtree(folder)
        if options.out:
            Path(options.out).write_text(json.dumps(rows, indent=1))
    print()
    print("\n".join(table(rows)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chunks", description=__doc__)
    parser.add_argument("scenes", nargs="*", choices=[*SCENES, []], help="all unless given")
    parser.add_argument("--folder", required=True, help="scratch with 15 GB of room")
    parser.add_argument("--scale", type=float, default=1, help="make the files smaller by this factor")
    parser.add_argument("--out", help="write the rows here as JSON")
    options = parser.parse_args()
    options.scenes = options.scenes or [*SCENES]
    return options


def _measured(scene: Scene, folder: Path, size: int) -> Iterator[dict[str, Any]]:
    versions = {name: (path, _digest(path)) for name, path in scene.make(folder, size).items()}
    ways = [ChunkerSettings("fastcdc", each // 4, each, min(4 * each, _LONGEST)) for each in AVERAGES]
    for chunker in (*ways, ChunkerSettings("fixed")):
        row = _pushed(folder / "stores", versions, chunker)
        yield {"scene": scene.name, "size": versions[""][0].stat().st_size, **row}
        print(f"{scene.name}: {_way(row)}: {row['sent']}", flush=True)


def _pushed(folder: Path, versions: dict[str, tuple[Path, ObjectId]], chunker: ChunkerSettings) -> dict[str, Any]:
    shutil.rmtree(folder, ignore_errors=True)
    cache = _cache(folder / "cache")
    place = LocalRemote("bench", os.fsencode(folder / "remote"))
    place.put(STORE_FILE, encode_store_file(StoreFile("0" * 32, chunker)), create_only=True)
    context = PushContext("0123456789abcdef", ("c0" * 20,), "bench", os.fsencode(folder / "journal"), time.time())
    sent: dict[str, int] = {}
    received: dict[str, int] = {}
    seconds: dict[str, float] = {}
    row: dict[str, Any] = {"chunker": chunker.name, "average": chunker.average}
    for name, (path, oid) in versions.items():
        wanted = _linked(cache, path, oid)
        remote = CountingRemote(place)
        before = time.process_time()
        done = push(cache, remote, [wanted], context)
        seconds[name] = round(time.process_time() - before, 2)
        if name:
            sent[name] = remote.sent
            if chunker == DEFAULT:
                received[name] = _received(folder, versions[""], wanted, place)
        else:
            pieces = whole_recipe(oid, wanted.size, lambda key: cache.read_meta(key, RECIPE)).pieces
            # Where a change is as likely at any byte as at any other, it falls into a piece of this length.
            row["piece"] = sum(piece.length**2 for piece in pieces) // wanted.size
            row |= {"first": remote.sent, "objects": done.objects, "index": sum(i.size for i in place.list(INDEX))}
            # What a clone has that pulled this version: the file and its recipe.
            shutil.copytree(folder / "cache" / "meta", folder / "meta")
    shutil.rmtree(folder)
    return {**row, "sent": sent, "received": received, "cpu": seconds}


def _received(folder: Path, first: tuple[Path, ObjectId], wanted: Wanted, place: LocalRemote) -> int:
    """What a clone with the first version reads to get another one; index files are no part of it."""
    clone = _cache(folder / "clone")
    _linked(clone, *first)
    shutil.copytree(folder / "meta", folder / "clone" / "meta", dirs_exist_ok=True)
    clone.forget()
    result = fetch(clone, [place], [wanted])
    assert not result.missing
    assert not result.damaged
    shutil.rmtree(folder / "clone")
    return result.bytes_received


def _cache(folder: Path) -> Cache:
    cache = Cache(os.fsencode(folder), Settings(durable=False))
    cache.create()
    return cache


def _linked(cache: Cache, path: Path, oid: ObjectId) -> Wanted:
    """The file as a loose blob of the cache, without another copy of its bytes."""
    loose = cache.loose_path(oid)
    os.makedirs(os.path.dirname(loose), exist_ok=True)
    os.link(path, loose)
    cache.forget()
    return Wanted(directory=False, oid=oid, size=path.stat().st_size, files=1, path=b"file")


def _digest(path: Path) -> ObjectId:
    hasher = new_hasher()
    with path.open("rb") as file:
        while data := file.read(8 * _MIB):
            hasher.update(data)
    return ObjectId(hasher.digest())


def _way(row: dict[str, Any]) -> str:
    if row["chunker"] == "fixed":
        return "fixed, 4 MiB"
    return f"{row['average'] // _KIB} KiB" if row["average"] < _MIB else f"{row['average'] // _MIB} MiB"


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Markdown: one line for each change, a column for each way to cut; then what the first push costs."""
    ways = list(dict.fromkeys(map(_way, rows)))
    cells = {(row["scene"], change, _way(row)): sent for row in rows for change, sent in row["sent"].items()}
    yield "| sent by the second push, MB | " + " | ".join(ways) + " |"
    yield "|---|" + "--:|" * len(ways)
    for scene, change in dict.fromkeys((scene, change) for scene, change, _ in cells):
        numbers = (f"{cells[scene, change, way] / 1e6:,.2f}" for way in ways)
        yield f"| {scene}: {change} | " + " | ".join(numbers) + " |"
    yield ""
    yield "| of the first push | " + " | ".join(ways) + " |"
    yield "|---|" + "--:|" * len(ways)
    for scene in dict.fromkeys(row["scene"] for row in rows):
        some = {_way(row): row for row in rows if row["scene"] == scene}
        for what, text in _COSTS.items():
            yield f"| {scene}: {what} | " + " | ".join(text(some[way]) for way in ways) + " |"


_COSTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "MB sent": lambda row: f"{row['first'] / 1e6:,.1f}",
    "MB in the piece that a change falls into": lambda row: f"{row['piece'] / 1e6:,.2f}",
    "objects": lambda row: f"{row['objects']:,}",
    "index, kB a GB": lambda row: f"{row['index'] / row['size'] * 1e6:,.0f}",
    "CPU, s a GB": lambda row: f"{row['cpu'][''] / row['size'] * 1e9:.1f}",
}


if __name__ == "__main__":
    main()

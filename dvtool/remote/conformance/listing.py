"""Checks of listings: complete, fresh, below their prefix."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from dvtool.model.ports import RemoteItem
from dvtool.remote.conformance.bench import THREADS
from dvtool.remote.conformance.bench import Bench
from dvtool.remote.conformance.bench import CheckFailed
from dvtool.remote.conformance.bench import expect
from dvtool.remote.conformance.bench import keys
from dvtool.remote.conformance.bench import shown
from dvtool.remote.conformance.otherprocess import OtherProcess

_CLOCK_SECONDS = 3600.0


def absent_prefix(bench: Bench) -> None:
    bench.writer.put("data/ab/there", b"x")
    for prefix in ("data/cd/", "meta/", "data/ab/there/"):
        found = keys(bench.remote, prefix)
        expect(not found, f"the listing of the absent {prefix} is {found}")


def long_listing(bench: Bench) -> None:
    names = [f"data/{number % 7:02}/{number:04}" for number in range(bench.many)]
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda name: bench.writer.put(name, b"x"), names):
            pass
    beside = ["datafile", "data-more/k", "meta/00/0"]
    for key in beside:
        bench.writer.put(key, b"x")
    some = [name for name in names if name.startswith("data/03/")]
    for prefix, wanted in (("data/", names), ("data/03/", some), ("", [*names, *beside])):
        found = keys(bench.remote, prefix)
        differing = {*found} ^ {*wanted}
        expect(
            found == sorted(wanted),
            f"the listing of {prefix or 'everything'} has {len(found)} keys instead of {len(wanted)}"
            f"; not in both: {shown(sorted(differing)[:5])}",
        )


def another_client(bench: Bench) -> None:
    writer, reader = bench.writer, bench.client()
    writer.put("index/a", b"x")
    expect(keys(reader, "index/") == ["index/a"], "another client does not see a put at once")
    writer.put("index/b", b"xy")
    sizes = {item.key: item.size for item in reader.list("index/")}
    expect(sizes == {"index/a": 1, "index/b": 2}, f"after a second put another client sees {sizes}")
    writer.delete("index/a")
    expect(keys(reader, "index/") == ["index/b"], "another client does not see a delete at once")
    expect(reader.stat("index/a") is None, "another client still finds a deleted key")


def another_process(bench: Bench) -> None:
    """A put by another process shows at once, although this one has listed and looked before."""
    reader = bench.client()
    expect(keys(reader, "index/") == [], "a new place is not empty")
    expect(reader.stat("index/a") is None, "a new place is not empty")
    with OtherProcess(bench) as other:
        other.put("index/a", 7)
        sizes = {item.key: item.size for item in reader.list("index/")}
        expect(sizes == {"index/a": 7}, f"after a put by another process the listing is {sizes}")
        item = reader.stat("index/a")
        expect(item is not None and item.size == 7, f"after a put by another process stat says {item}")
        other.delete("index/a")
        expect(keys(reader, "index/") == [], "a delete by another process does not show")
        expect(reader.stat("index/a") is None, "what another process has deleted is still there")


def times(bench: Bench) -> None:
    bench.writer.put("k", b"x")
    with open(witness := bench.file(b""), "rb"):
        now = os.stat(witness).st_mtime
    found: list[RemoteItem | None] = [bench.remote.stat("k")]
    if bench.remote.capabilities.listing:
        found += bench.remote.list("")
    for item in found:
        modified = None if item is None else item.modified
        if modified is None:
            raise CheckFailed(f"no time of writing: {item}")
        apart = modified - now
        expect(abs(apart) < _CLOCK_SECONDS, f"the server's clock and this one's are {apart:.0f} s apart")

"""The rows on the speed of the line: beside the library's own calls, one tar, and what the bandwidth allows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import data
from benchmarks import s3
from benchmarks.measure import Sample
from benchmarks.measure import timed
from benchmarks.model import AtMost
from benchmarks.model import Contender
from benchmarks.model import Counts
from benchmarks.model import Mark
from benchmarks.model import Row
from benchmarks.model import Within
from benchmarks.scenes import Bench
from benchmarks.scenes import copy
from benchmarks.scenes import removed
from benchmarks.scenes import same
from benchmarks.slowline import slow_line
from benchmarks.tools import Versioner

GIB = 1 << 30
LINE_BYTES = 256 << 20
DELAY = 0.05
RATE = 25e6
_PLAIN = str(Path(__file__).with_name("plain.py"))


def s3_up(bench: Bench) -> Row:
    return _up(bench, bench.s3_endpoint(), "S3")


def s3_down(bench: Bench) -> Row:
    return _down(bench, bench.s3_endpoint(), "S3")


def directory_up(bench: Bench) -> Row:
    return _up(bench, None, "a directory")


def directory_down(bench: Bench) -> Row:
    return _down(bench, None, "a directory")


def small_up(bench: Bench) -> Row:
    """Against packing the same files into one tar and putting that."""
    source, endpoint, tool = bench.files(data.SMALL_FILES), bench.s3_endpoint(), bench.dvtool
    repo, archive = bench.added(tool, source), bench.directory("line", "small.tar")

    def tar(_run: int) -> Sample:
        packed = timed(["tar", "cf", archive, "."], source, tool.environment)
        return _both(packed, _plain(bench, "put", archive, endpoint, bench.new("tar")))

    contenders = [
        _pushing(bench, tool, repo, endpoint),
        Contender("tar + s3fs put_file", tar, lambda _run: archive.unlink(missing_ok=True)),
    ]
    title = f"S3: `push` {bench.count(data.SMALL_FILES):,} small files"
    return Row(title, contenders, [Within("tar + s3fs put_file", 2)])


def small_down(bench: Bench) -> Row:
    source, endpoint, tool = bench.files(data.SMALL_FILES), bench.s3_endpoint(), bench.dvtool
    repo = bench.added(tool, source)
    archive, out, key = bench.directory("line", "small.tar"), bench.directory("line", "out"), bench.new("tar")
    timed(["tar", "cf", archive, "."], source, tool.environment)
    _plain(bench, "put", archive, endpoint, key)

    def prepare(_run: int) -> None:
        archive.unlink(missing_ok=True)
        removed(out)
        out.mkdir()

    def untar(_run: int) -> Sample:
        got = _plain(bench, "get", archive, endpoint, key)
        return _both(got, timed(["tar", "xf", archive], out, tool.environment))

    contenders = [
        _pulling(bench, tool, repo, endpoint),
        Contender("s3fs get_file + tar", untar, prepare, lambda: same(source, out)),
    ]
    title = f"S3: `pull` {bench.count(data.SMALL_FILES):,} small files"
    return Row(title, contenders, [Within("s3fs get_file + tar", 2)])


def slow_up(bench: Bench) -> Row:
    return _slow(bench, _pushing, "push")


def slow_down(bench: Bench) -> Row:
    return _slow(bench, _pulling, "pull")


def one_changed(bench: Bench) -> Row:
    """What a push of one changed file among 100,000 sends."""
    source, tool = bench.files(data.FILES), bench.dvtool
    repo = bench.added(tool, source)
    bench.s3_endpoint()
    contender = Contender(tool.name, lambda _run: tool.call(repo, "push"), lambda run: _change(run, fresh=run == 0))

    def _change(run: int, *, fresh: bool = False) -> None:
        if fresh:
            bench.remote(tool, repo, endpoint=bench.s3_endpoint())
            tool.call(repo, "push")
        data.edit_one(repo / "data", 5000 + run)
        tool.call(repo, "add", "data")
        tool.commit(repo, "changed")

    def count() -> Counts:
        with s3.counting_proxy() as (endpoint, counted):
            tool.call(repo, "remote", "modify", "origin", "endpointurl", endpoint)
            _change(100)
            counted.requests.clear()
            counted.sent = 0
            tool.call(repo, "push")
            return {"S3 requests for 1 change": counted.requests.total(), "KB sent for 1 change": counted.sent / 1000}

    marks: list[Mark] = [AtMost("S3 requests for 1 change", 20), AtMost("KB sent for 1 change", 1000)]
    return Row(f"S3: `push` of 1 change among {bench.count(data.FILES):,} files", [contender], marks, count)


def _up(bench: Bench, endpoint: str | None, place: str) -> Row:
    source, tool, name = _file(bench, GIB), bench.dvtool, _library(endpoint, "put_file")
    repo = _with_large(bench, tool, source)
    contenders = [
        _pushing(bench, tool, repo, endpoint),
        Contender(name, lambda _run: _plain(bench, "put", source, endpoint, bench.new("plain"))),
    ]
    return Row(f"{_size(source)} up to {place}", contenders, [Within(name, 1.3)])


def _down(bench: Bench, endpoint: str | None, place: str) -> Row:
    source, tool, name = _file(bench, GIB), bench.dvtool, _library(endpoint, "get_file")
    repo, target, key = _with_large(bench, tool, source), bench.directory("line", "back.bin"), bench.new("plain")
    _plain(bench, "put", source, endpoint, key)

    def getting(name: str, verb: str) -> Contender:
        return Contender(
            name,
            lambda _run: _plain(bench, verb, target, endpoint, key),
            lambda _run: target.unlink(missing_ok=True),
            lambda: same(source, target),
        )

    # The library's call leaves the bytes in memory; dvtool's are on the medium when it ends.
    synced, checked = f"{name} + fsync", f"{name} + BLAKE3 + fsync"
    contenders = [
        _pulling(bench, tool, repo, endpoint),
        getting(name, "get"),
        getting(synced, "get-synced"),
        getting(checked, "get-checked"),
    ]
    marks = [Within(other, 1.3) for other in (name, synced, checked)]
    return Row(f"{_size(source)} down from {place}", contenders, marks)


def _slow(bench: Bench, make: Callable[[Bench, Versioner, Path, str | None], Contender], verb: str) -> Row:
    bench.s3_endpoint()
    endpoint = bench.stack.enter_context(slow_line(DELAY, RATE))
    source, tool = _file(bench, LINE_BYTES), bench.dvtool
    size = source.stat().st_size
    contenders = [
        make(bench, tool, _with_large(bench, tool, source), endpoint),
        Contender("the bandwidth", lambda _run: Sample(size / RATE, 0.0, 0.0, b"")),
    ]
    title = f"{_size(source)} at {DELAY * 1000:.0f} ms and {RATE / 1e6:.0f} MB/s: `{verb}`"
    return Row(title, contenders, [Within("the bandwidth", 1.5)])


def _pushing(bench: Bench, tool: Versioner, repo: Path, endpoint: str | None) -> Contender:
    last: list[Path] = []

    def prepare(_run: int) -> None:
        while last:
            removed(last.pop())
        target = bench.remote(tool, repo, endpoint=endpoint)
        if isinstance(target, Path):
            last.append(target)

    return Contender(tool.name, lambda _run: tool.call(repo, "push"), prepare)


def _pulling(bench: Bench, tool: Versioner, repo: Path, endpoint: str | None) -> Contender:
    clone = bench.directory("clones", "line")
    bench.remote(tool, repo, endpoint=endpoint)
    tool.call(repo, "push")
    return Contender(
        tool.name,
        lambda _run: tool.call(clone, "pull"),
        lambda _run: tool.clone(repo, clone),
        lambda: same(repo / "data", clone / "data"),
    )


def _with_large(bench: Bench, tool: Versioner, source: Path) -> Path:
    repo = bench.directory("line", f"repo-{source.name}")
    if not repo.exists():
        tool.init(repo)
        copy(source, repo / "data")
        tool.call(repo, "add", "data")
        tool.commit(repo, "data")
    return repo


def _file(bench: Bench, size: int) -> Path:
    path = bench.directory("data", f"line-{max(1 << 20, int(size * bench.scale))}")
    if not path.exists():
        data.large_file(path, max(1 << 20, int(size * bench.scale)))
    return path


def _plain(bench: Bench, verb: str, path: Path, endpoint: str | None, key: str) -> Sample:
    url = str(bench.directory("remotes", key)) if endpoint is None else f"{s3.BUCKET}/{key}"
    command = [sys.executable, _PLAIN, verb, str(path), url, endpoint or ""]
    return timed(command, bench.place, bench.dvtool.environment)


def _both(one: Sample, other: Sample) -> Sample:
    return Sample(one.seconds + other.seconds, one.cpu + other.cpu, max(one.peak_mb, other.peak_mb), b"")


def _library(endpoint: str | None, call: str) -> str:
    return f"{'fsspec' if endpoint is None else 's3fs'} {call}"


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / (1 << 30):.2g} GiB" if size >= 1 << 29 else f"{size >> 20} MiB"

"""The rows on one large file, on a million files, and on starting up."""

from __future__ import annotations

from pathlib import Path

from benchmarks import data
from benchmarks.measure import Sample
from benchmarks.measure import free_bytes
from benchmarks.measure import stored_bytes
from benchmarks.measure import timed
from benchmarks.model import AtMost
from benchmarks.model import Contender
from benchmarks.model import Counts
from benchmarks.model import Faster
from benchmarks.model import Mark
from benchmarks.model import Peak
from benchmarks.model import Row
from benchmarks.model import Seconds
from benchmarks.model import Within
from benchmarks.places import reflinks
from benchmarks.scenes import Bench
from benchmarks.scenes import copy
from benchmarks.scenes import removed
from benchmarks.tools import Versioner


def large_add(bench: Bench) -> Row:
    source = bench.large()
    size = source.stat().st_size

    def prepared(tool: Versioner) -> Path:
        repo = bench.directory("large", tool.name)
        tool.init(repo)
        copy(source, repo / "large.bin")
        return repo

    def versioner(tool: Versioner) -> Contender:
        repo = bench.directory("large", tool.name)
        return Contender(
            tool.name, lambda _run: tool.call(repo, "add", "large.bin"), lambda _run: _ignore(prepared(tool))
        )

    def count() -> Counts:
        repo = prepared(bench.dvtool)
        before = free_bytes(bench.place)
        bench.dvtool.call(repo, "add", "large.bin")
        return {"MB of disk taken by `add`": round(max(0, before - free_bytes(bench.place)) / 1e6, 1)}

    target = bench.directory("large", "copy.bin")
    contenders = [
        *(versioner(tool) for tool in bench.tools),
        Contender(
            "cp",
            lambda _run: timed(["cp", "--reflink=never", source, target], bench.place, bench.dvtool.environment),
            lambda _run: target.unlink(missing_ok=True),
        ),
    ]
    marks: list[Mark] = [Faster("DVC", 1)]
    if reflinks(bench.place):
        marks.append(AtMost("MB of disk taken by `add`", round(size / 1e6 / 100, 1)))
    return Row(f"one file of {size / (1 << 30):.2g} GiB: `add`", contenders, marks, count)


def large_insert(bench: Bench) -> Row:
    source = bench.large()
    size = source.stat().st_size
    sent: list[int] = []

    def versioner(tool: Versioner) -> Contender:
        repo = bench.directory("insert", tool.name)
        tool.init(repo)
        copy(source, repo / "large.bin")
        tool.call(repo, "add", "large.bin")
        remote = Path(bench.remote(tool, repo))
        tool.call(repo, "push")

        def prepare(run: int) -> None:
            data.insert(repo / "large.bin", run)
            tool.call(repo, "add", "large.bin")
            tool.commit(repo, f"insert {run}")

        def run(_run: int) -> Sample:
            before = stored_bytes(remote)
            sample = tool.call(repo, "push")
            if tool is bench.dvtool:
                sent.append(stored_bytes(remote) - before)
            return sample

        return Contender(tool.name, run, prepare)

    def count() -> Counts:
        return {"MB sent": round(max(sent) / 1e6, 2), "% of the bytes sent": round(100 * max(sent) / size, 3)}

    contenders = [versioner(tool) for tool in bench.tools]
    return Row("1 KiB inserted in the middle, second `push`", contenders, [AtMost("% of the bytes sent", 1)], count)


def version(bench: Bench) -> Row:
    def versioner(tool: Versioner) -> Contender:
        return Contender(tool.name, lambda _run: tool.call(bench.place, "--version"))

    contenders = [versioner(tool) for tool in bench.tools]
    return Row("`--version`", contenders, [Seconds(0.1)], repeat=5)


def empty_status(bench: Bench) -> Row:
    def versioner(tool: Versioner) -> Contender:
        repo = bench.directory("empty", tool.name)
        tool.init(repo)
        return Contender(tool.name, lambda _run: tool.call(repo, "status"))

    return Row("`status` in an empty repository", [versioner(tool) for tool in bench.tools], [Seconds(0.13)], repeat=5)


def million(bench: Bench) -> Row:
    """dvtool alone: memory at a million files, and time that grows with the number of files."""
    sizes = (data.MANY_FILES // 4, data.MANY_FILES)
    contenders = [contender for size in sizes for contender in _of_many_files(bench, size)]
    marks: list[Mark] = []
    small, large = (f"{bench.count(size):,}" for size in sizes)
    for verb in ("add", "status", "checkout"):
        marks.append(Peak(1000, f"{verb} {large}"))
        marks.append(Within(f"{verb} {small}", 5, f"{verb} {large}"))
    return Row(f"{large} files, dvtool alone", contenders, marks)


def _of_many_files(bench: Bench, size: int) -> list[Contender]:
    tool, source = bench.dvtool, bench.files(size, folders=1000)
    repo, label = bench.directory("million", str(size)), f"{bench.count(size):,}"

    def prepare_add(_run: int) -> None:
        tool.init(repo)
        copy(source, repo / "data")

    def prepare_checkout(_run: int) -> None:
        tool.commit(repo, "data")
        removed(repo / "data")

    return [
        Contender(f"add {label}", lambda _run: tool.call(repo, "add", "data"), prepare_add),
        Contender(f"status {label}", lambda _run: tool.call(repo, "status")),
        Contender(f"checkout {label}", lambda _run: tool.call(repo, "checkout"), prepare_checkout),
    ]


def _ignore(_value: object) -> None:
    return

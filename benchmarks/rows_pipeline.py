"""The rows on pipelines: many trivial stages, stages that wait, one file with very many stages."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.measure import CommandFailed
from benchmarks.measure import timed
from benchmarks.model import Contender
from benchmarks.model import Faster
from benchmarks.model import Mark
from benchmarks.model import Row
from benchmarks.model import Seconds
from benchmarks.model import Within
from benchmarks.scenes import Bench
from benchmarks.scenes import removed
from benchmarks.tools import Versioner

STAGES = 300
MANY_STAGES = 10_000
SLEEPERS = 8
SHELLS = Path(__file__).with_name("shells.py")


def first_run(bench: Bench) -> Row:
    """Beside the least that it can be: the same commands, started one after the other and not looked at."""
    number = bench.count(STAGES)

    def versioner(tool: Versioner) -> Contender:
        repo = bench.directory("stages", tool.name)
        jobs = ("-j", "1") if tool is bench.dvtool else ()
        return Contender(
            tool.name,
            lambda _run: tool.call(repo, "repro", *jobs),
            lambda _run: _made(tool, repo, number),
            lambda: _every_output(repo, number),
        )

    bare = bench.directory("stages", "shells")

    def prepare(_run: int) -> None:
        removed(bare)
        bare.mkdir()

    shells = Contender(
        "300 shells" if number == STAGES else f"{number} shells",
        lambda _run: timed(
            [sys.executable, SHELLS, *map(_command, range(number))],
            bare,
            bench.tools[0].environment,
        ),
        prepare,
        lambda: _every_output(bare, number),
    )
    contenders = [*(versioner(tool) for tool in bench.tools), shells]
    return Row(f"{number} independent stages, first `repro`", contenders, [Faster("DVC", 20)])


def nothing_changed(bench: Bench) -> Row:
    return _of_what_ran(bench, "`repro`, nothing changed", ("repro",), 8)


def status(bench: Bench) -> Row:
    return _of_what_ran(bench, "`status`", ("status",), 5)


def dag(bench: Bench) -> Row:
    return _of_what_ran(bench, "`dag`", ("dag",), 5)


def at_once(bench: Bench) -> Row:
    """dvtool with all stages at once; DVC runs one after the other."""

    def versioner(tool: Versioner) -> Contender:
        repo = bench.directory("sleepers", tool.name)
        jobs = ("-j", str(SLEEPERS)) if tool is bench.dvtool else ()
        stages = {f"s{i}": {"cmd": f"sleep 2; echo {i} > o{i}", "outs": [f"o{i}"]} for i in range(SLEEPERS)}
        return Contender(
            tool.name,
            lambda _run: tool.call(repo, "repro", *jobs),
            lambda _run: _written(tool, repo, stages),
            lambda: _every_output(repo, SLEEPERS),
        )

    contenders = [versioner(tool) for tool in bench.tools]
    return Row(f"{SLEEPERS} x `sleep 2`, `repro -j {SLEEPERS}`", contenders, [Seconds(3)])


def plan(bench: Bench) -> Row:
    """dvtool alone: a tenth of the stages, and all of them, none of which ever ran."""
    sizes = (bench.count(MANY_STAGES // 10), bench.count(MANY_STAGES))
    tool = bench.dvtool

    def planned(number: int) -> Contender:
        repo = bench.directory("plan", str(number))
        _made(tool, repo, number)
        return Contender(f"plan {number:,}", lambda _run: tool.call(repo, "plan", "-q"))

    small, large = (planned(number) for number in sizes)
    # Ten times the stages in at most 15 times the time: starting up does not count for more than it is.
    marks: list[Mark] = [Seconds(2, large.name), Within(small.name, 15, large.name)]
    return Row(f"{sizes[1]:,} stages in one file: load and `plan`", [small, large], marks)


def _of_what_ran(bench: Bench, words: str, arguments: tuple[str, ...], factor: float) -> Row:
    number = bench.count(STAGES)

    def versioner(tool: Versioner) -> Contender:
        repo = bench.directory("ran", tool.name)
        _made(tool, repo, number)
        tool.call(repo, "repro")
        tool.commit(repo, "ran")
        tool.call(repo, *arguments)
        return Contender(tool.name, lambda _run: tool.call(repo, *arguments))

    contenders = [versioner(tool) for tool in bench.tools]
    return Row(f"{number} stages: {words}", contenders, [Faster("DVC", factor)], repeat=3)


def _command(number: int) -> str:
    return f"echo {number} > o{number}"


def _made(tool: Versioner, repo: Path, number: int) -> None:
    """A new repository with so many trivial stages, none of which ran."""
    _written(tool, repo, {f"s{i}": {"cmd": _command(i), "outs": [f"o{i}"]} for i in range(number)})


def _written(tool: Versioner, repo: Path, stages: object) -> None:
    tool.init(repo)
    (repo / f"{tool.name.lower()}.yaml").write_text(json.dumps({"stages": stages}, indent=1))
    tool.commit(repo, "stages")


def _every_output(repo: Path, number: int) -> None:
    for i in range(number):
        if (repo / f"o{i}").read_text() != f"{i}\n":
            raise CommandFailed(f"{repo}/o{i} is not what its stage writes")

"""A `repro` that is stopped, killed, or runs out of room: previous results are there, and nothing runs for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project

STAGES = """\
stages:
  fast:
    cmd: cp in fast
    deps: [in]
    outs: [fast]
  slow:
    cmd: echo half > slow; {then}; cat fast >> slow
    deps: [fast]
    outs: [slow]
"""
WAITS = "echo $$ > pid; while [ -e wait ]; do sleep 0.02; done"
STUBBORN = "trap '' INT TERM; " + WAITS
PATIENCE = 30.0


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    """Both stages ran once, and the next run of the second one waits as long as there is a file `wait`."""
    cli = git_project(tmp_path / "repo")
    (cli.at / "dvtool.yaml").write_text(STAGES.format(then=WAITS))
    (cli.at / "in").write_text("old")
    cli.done("repro", "-q")
    (cli.at / "pid").unlink()
    (cli.at / "wait").touch()
    (cli.at / "in").write_text("new")
    return cli


def start(cli: CommandLine, *argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "dvtool", "repro", *argv],
        cwd=cli.at,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def until(is_so: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def running(cli: CommandLine) -> int:
    """The process of the stage that waits."""
    path = cli.at / "pid"
    until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{process}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("then", [WAITS, STUBBORN], ids=["obeys", "stubborn"])
def test_a_stopped_run_gives_back_what_was_there(cli: CommandLine, number: signal.Signals, then: str) -> None:
    (cli.at / "dvtool.yaml").write_text(STAGES.format(then=then))
    repro = start(cli)
    process = running(cli)
    os.kill(repro.pid, number)
    repro.communicate(timeout=PATIENCE)
    assert repro.returncode == (130 if number == signal.SIGINT else 143)
    assert not is_alive(process)
    assert (cli.at / "slow").read_text() == "half\nold"
    assert (cli.at / "fast").read_text() == "new"
    (cli.at / "wait").unlink()
    states = {each["stage"]: each["state"] for each in cli("repro", "--json").document["stages"]}
    assert states == {"fast": "skipped", "slow": "ran"}


def test_a_killed_run_leaves_no_stage_at_work_and_the_next_command_gives_back(cli: CommandLine) -> None:
    (cli.at / "dvtool.yaml").write_text(STAGES.format(then=STUBBORN))
    repro = start(cli)
    process = running(cli)
    # The lock of `fast` is written while `slow` runs.
    until(lambda: (cli.at / "fast").read_text() == "new")
    time.sleep(0.2)
    repro.kill()
    repro.communicate(timeout=PATIENCE)
    assert (cli.at / "slow").read_text() == "half\n"
    # Any command that changes something waits until the stage has ended.
    (cli.at / "other").write_text("1")
    done = cli("add", "other")
    assert done.code == 0 and "given back after a `dvtool repro` that was killed: slow" in done.err
    assert not is_alive(process)
    assert (cli.at / "slow").read_text() == "half\nold"
    (cli.at / "wait").unlink()
    states = {each["stage"]: each["state"] for each in cli("repro", "--json").document["stages"]}
    assert states == {"fast": "skipped", "slow": "ran"}


def test_a_second_run_waits_or_says_who_is_at_work(cli: CommandLine) -> None:
    repro = start(cli)
    running(cli)
    done = cli("--no-wait", "repro")
    assert done.code == 5 and "dvtool repro" in done.err
    second = start(cli)
    (cli.at / "wait").unlink()
    assert repro.communicate(timeout=PATIENCE)[0].count(b": done in") == 2
    out, _ = second.communicate(timeout=PATIENCE)
    assert second.returncode == 0 and b"2 stages: 2 skipped" in out


def test_what_a_stage_runs_does_not_wait_for_ever_for_its_own_run(cli: CommandLine) -> None:
    command = f"PYTHONPATH={Path(__file__).parents[2]} {sys.executable} -m dvtool add in"
    (cli.at / "dvtool.yaml").write_text(f"stages:\n  a:\n    cmd: {command}\n    outs: [x]\n")
    done = cli("repro")
    assert done.code == 8 and "is in use by" in done.out

"""Commands as process groups."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from dvtool.disk.processes import Command
from dvtool.disk.processes import Ended
from dvtool.disk.processes import Processes

ENVIRON = {b"PATH": os.fsencode(os.environ["PATH"])}
PATIENCE = 30.0


def command(place: Path, *words: str, limit: int | None = None) -> Command:
    output = os.open(place / "out", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC)
    return Command([os.fsencode(word) for word in words], os.fsencode(place), ENVIRON, output, limit)


def finished(processes: Processes, what: Command) -> Ended:
    processes.start(what)
    ended = processes.wait(PATIENCE)
    os.close(what.output)
    assert ended is not None
    return ended


def group_is_gone(number: int) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            os.killpg(number, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("words", "code"), [(("true",), 0), (("sh", "-c", "exit 7"), 7), (("sh", "-c", "kill -KILL $$"), -9)]
)
def test_a_command_ends_as_it_ends(tmp_path: Path, words: Sequence[str], code: int) -> None:
    with Processes() as processes:
        assert finished(processes, command(tmp_path, *words)).code == code


def test_words_are_taken_literally_and_nothing_is_read(tmp_path: Path) -> None:
    with Processes() as processes:
        finished(processes, command(tmp_path, "printf", "%s|", "$HOME", "a b", "", "`x`"))
        finished(processes, command(tmp_path, "cat"))
        finished(processes, command(tmp_path, "pwd"))
    assert (tmp_path / "out").read_text() == f"$HOME|a b||`x`|{tmp_path}\n"


def test_a_command_that_is_not_there_says_so(tmp_path: Path) -> None:
    with Processes() as processes:
        assert finished(processes, command(tmp_path, "no-such-program")).code == 127
    assert "no-such-program" in (tmp_path / "out").read_text()


def test_all_of_a_group_is_ended(tmp_path: Path) -> None:
    with Processes() as processes:
        what = command(tmp_path, "sh", "-c", "trap '' INT TERM; sleep 1000 & sleep 1000")
        number = processes.start(what)
        began = time.monotonic()
    os.close(what.output)
    assert group_is_gone(number)
    assert time.monotonic() - began < PATIENCE


@pytest.mark.skipif(sys.platform != "linux", reason="the list of descriptors is Linux's")
def test_no_descriptor_of_ours_reaches_a_command(tmp_path: Path) -> None:
    mine = os.open(tmp_path / "marker", os.O_RDWR | os.O_CREAT)
    with Processes(keeps_open=mine) as processes:
        finished(processes, command(tmp_path, "ls", "-l", "/proc/self/fd"))
    os.close(mine)
    listed = (tmp_path / "out").read_text()
    assert str(tmp_path / "out") in listed and "marker" not in listed


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to it")
def test_a_process_gets_no_more_memory_than_it_may(tmp_path: Path) -> None:
    code = "x = bytearray(200 << 20); print(len(x))"
    with Processes() as processes:
        assert finished(processes, command(tmp_path, sys.executable, "-c", code, limit=100 << 20)).code != 0
        assert finished(processes, command(tmp_path, sys.executable, "-c", code, limit=2 << 30)).code == 0


def test_whoever_is_killed_leaves_nothing_behind(tmp_path: Path) -> None:
    """The guard keeps the lock until all has ended."""
    text = """
import os, sys
from dvtool.disk.processes import Command, Processes
lock = os.open("lock", os.O_RDWR | os.O_CREAT)
import fcntl; fcntl.flock(lock, fcntl.LOCK_EX)
out = os.open("out", os.O_WRONLY | os.O_CREAT)
with Processes(keeps_open=lock) as processes:
    words = [b"sh", b"-c", b"trap '' TERM; echo ready; sleep 1000 & sleep 1000"]
    print(processes.start(Command(words, os.getcwdb(), {b"PATH": os.environb[b"PATH"]}, out)), flush=True)
    processes.wait(None)
"""
    root = str(Path(__file__).parents[3])
    starter = subprocess.Popen(
        [sys.executable, "-c", text], cwd=tmp_path, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root}
    )
    assert starter.stdout is not None
    number = int(starter.stdout.readline())
    end = time.monotonic() + PATIENCE
    while not (tmp_path / "out").read_text() and time.monotonic() < end:
        time.sleep(0.01)
    starter.send_signal(signal.SIGKILL)
    starter.communicate(timeout=PATIENCE)
    import fcntl

    lock = os.open(tmp_path / "lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert group_is_gone(number)
    os.close(lock)

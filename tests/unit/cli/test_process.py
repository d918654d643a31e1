"""The process itself: signals, closed streams, a directory that is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ENVIRON = {"PYTHONPATH": str(ROOT)}

# Says when it is under way, with a worker thread that would keep the interpreter from ending.
BUSY = """
import sys, threading, time
from dvtool.cli import main
from dvtool.cli.session import Session

def busy(argv, *world):
    threading.Thread(target=time.sleep, args=(600,)).start()
    print("ready", flush=True)
    time.sleep(600)

main.run = busy
sys.exit(main.main())
"""


def dvtool(*argv: str, **settings: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-m", "dvtool", *argv],
        env={**os.environ, **ENVIRON},
        text=True,
        stderr=subprocess.PIPE,
        check=False,
        **settings,
    )


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "interrupted: nothing is lost, the same command goes on from here\n"),
        (signal.SIGTERM, 143, ""),
    ],
)
def test_a_signal_ends_it_at_once(number: signal.Signals, code: int, said: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY, "status"],
        env={**os.environ, **ENVIRON},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(60) == code
        assert process.stderr.read() == said


@pytest.mark.parametrize("argv", [("--help",), ("version",), ("root", "--json")])
def test_a_reader_that_has_gone(argv: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        ran = dvtool(*argv, stdout=write, cwd=ROOT)
    finally:
        os.close(write)
    if "root" not in argv:
        assert (ran.returncode, ran.stderr) == (141, "")
    else:
        assert ran.returncode == 10


def test_a_full_disk_under_standard_output() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w") as full:
        ran = dvtool("version", stdout=full)
    assert ran.returncode == 7
    assert ran.stderr.startswith("error: the system refused: No space left on device\n")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_closed_standard_streams(tmp_path: Path, closed: str) -> None:
    command = f'"$0" -m dvtool init --no-scm {closed}'
    ran = subprocess.run(
        ["sh", "-c", command, sys.executable],
        env={**os.environ, **ENVIRON},
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert (tmp_path / ".dvtool" / "config").read_bytes().startswith(b"# Settings")


def test_a_current_directory_that_is_gone(tmp_path: Path) -> None:
    command = 'mkdir gone && cd gone && rmdir ../gone && "$0" -m dvtool root'
    ran = subprocess.run(
        ["sh", "-c", command, sys.executable],
        env={**os.environ, **ENVIRON},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 10
    assert ran.stderr.startswith(f"error: {tmp_path}/gone is not inside a dvtool project\nhint: ")


def test_a_name_that_is_no_text_into_a_pipe(tmp_path: Path) -> None:
    place = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(place)
    started = [
        subprocess.run(
            [sys.executable, "-m", "dvtool", *argv],
            env={**os.environ, **ENVIRON},
            cwd=place,
            capture_output=True,
            check=True,
        )
        for argv in (["init", "--no-scm", "-q"], ["root"])
    ]
    assert [ran.stdout for ran in started] == [b"", place + b"\n"]

"""The reporter, with a clock of our own."""

from __future__ import annotations

import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path

from dvtool.ui.progress import Mode
from dvtool.ui.progress import ProgressReporter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Screen:
    """A reporter, its stream, and a hand on its clock."""

    def __init__(self, mode: Mode, *, quiet: bool = False) -> None:
        self.stream = StringIO()
        self.clock = Clock()
        self.reporter = ProgressReporter(self.stream, self.clock, mode, quiet=quiet, ticking=False)

    def later(self, seconds: float) -> None:
        self.clock.now += seconds
        self.reporter.tick()

    @property
    def text(self) -> str:
        return self.stream.getvalue()


def test_short_work_says_nothing() -> None:
    screen = Screen("lines")
    screen.reporter.begin("hashing", total=10)
    screen.reporter.advance(10)
    screen.later(9.9)
    screen.reporter.end()
    assert screen.text == ""


def test_a_line_every_ten_seconds_and_one_at_the_end() -> None:
    screen = Screen("lines")
    screen.reporter.begin("hashing", total=50_000)
    screen.reporter.advance(12_000)
    screen.later(10)
    screen.later(5)
    screen.reporter.advance(13_000)
    screen.later(5)
    screen.reporter.advance(25_000)
    screen.reporter.end()
    assert screen.text.splitlines() == [
        "hashing: 12,000 of 50,000 files (24 %), 10 s, 32 s left",
        "hashing: 25,000 of 50,000 files (50 %), 20 s, 20 s left",
        "hashing: 50,000 of 50,000 files (100 %) in 20 s",
    ]


def test_bytes_are_shown_as_sizes() -> None:
    screen = Screen("lines")
    screen.reporter.begin("uploading", total=2_000_000, unit="bytes")
    screen.reporter.advance(500_000)
    screen.later(10)
    assert screen.text == "uploading: 500 kB of 2.0 MB (25 %), 10 s, 50.0 kB/s, 30 s left\n"


def test_the_rate_is_that_of_the_last_seconds() -> None:
    screen = Screen("lines")
    screen.reporter.begin("downloading", total=100_000_000, unit="bytes")
    screen.reporter.advance(60_000_000)
    screen.later(10)
    for _ in range(4):
        screen.reporter.advance(1_000_000)
        screen.later(10)
    assert screen.text.splitlines()[-1] == "downloading: 64.0 MB of 100 MB (64 %), 50 s, 100 kB/s, 6 min 0 s left"


def test_where_nothing_moves_no_time_is_promised() -> None:
    screen = Screen("lines")
    screen.reporter.begin("downloading", total=1_000_000, unit="bytes")
    screen.later(10)
    assert screen.text == "downloading: 0 B of 1.0 MB (0 %), 10 s\n"


def test_without_a_total_there_is_no_share() -> None:
    screen = Screen("lines")
    screen.reporter.begin("looking", unit="objects")
    screen.reporter.advance(3)
    screen.later(10)
    assert screen.text == "looking: 3 objects, 10 s\n"


def test_the_innermost_phase_shows() -> None:
    screen = Screen("lines")
    screen.reporter.begin("pushing")
    screen.reporter.begin("hashing")
    screen.reporter.advance(1)
    screen.later(10)
    screen.reporter.end()
    screen.reporter.advance(5)
    screen.later(10)
    assert screen.text.splitlines() == [
        "hashing: 1 file, 10 s",
        "hashing: 1 file in 10 s",
        "pushing: 5 files, 20 s",
    ]


def test_notes_are_made_safe() -> None:
    screen = Screen("off")
    screen.reporter.note("waits for s3://me:pw@host \x1b[2J")
    assert screen.text == "waits for s3://***@host \\x1b[2J\n"


def test_quiet_is_silent() -> None:
    screen = Screen("lines", quiet=True)
    screen.reporter.begin("hashing")
    screen.reporter.note("a note")
    screen.later(100)
    screen.reporter.end()
    assert screen.text == ""


def test_a_bar_comes_after_half_a_second_and_goes_away() -> None:
    screen = Screen("bar")
    screen.reporter.begin("hashing", total=4)
    screen.later(0.4)
    assert screen.text == ""
    screen.reporter.advance(1)
    screen.later(0.2)
    assert "hashing" in screen.text
    assert "1 of 4 files (25 %)" in screen.text
    screen.reporter.note("a note")
    assert "a note" in screen.text
    screen.reporter.end()
    assert screen.text.endswith("\x1b[2K")


def test_rich_is_imported_when_a_bar_is_due() -> None:
    program = (
        "import io, sys\nfrom dvtool.ui.progress import ProgressReporter\nnow = [0.0]\n"
        "reporter = ProgressReporter(io.StringIO(), lambda: now[0], 'bar', ticking=False)\n"
        "reporter.begin('x')\nreporter.tick()\nprint('rich' in sys.modules)\n"
        "now[0] = 0.6\nreporter.tick()\nprint('rich' in sys.modules)\nreporter.close()\n"
    )
    root = Path(__file__).resolve().parents[3]
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert run.stdout.splitlines() == ["False", "True"]


def test_threads_lose_no_count() -> None:
    screen = Screen("lines")
    screen.reporter.begin("hashing")

    def work() -> None:
        for _ in range(1000):
            screen.reporter.advance(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    screen.later(10)
    assert screen.text == "hashing: 8,000 files, 10 s\n"


def test_an_end_too_many_and_an_advance_outside_are_nothing() -> None:
    screen = Screen("lines")
    screen.reporter.advance(1)
    screen.reporter.end()
    screen.later(20)
    assert screen.text == ""


def test_closing_ends_the_ticker() -> None:
    reporter = ProgressReporter(StringIO(), Clock(), "lines")
    reporter.begin("hashing")
    assert "progress" in {thread.name for thread in threading.enumerate()}
    reporter.close()
    assert "progress" not in {thread.name for thread in threading.enumerate()}

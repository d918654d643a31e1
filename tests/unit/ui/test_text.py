"""Numbers, sizes, tables, colours, and what a message must not carry."""

from __future__ import annotations

import pytest

from dvtool.ui.counts import count
from dvtool.ui.sizes import duration
from dvtool.ui.sizes import size
from dvtool.ui.tables import table
from dvtool.ui.tables import width
from dvtool.ui.terminal import PLAIN
from dvtool.ui.terminal import Paint
from dvtool.ui.terminal import When
from dvtool.ui.terminal import use_color
from dvtool.ui.text import safe


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 files"), (1, "1 file"), (2, "2 files"), (1234567, "1,234,567 files")],
)
def test_a_count_agrees_with_its_noun(value: int, text: str) -> None:
    assert count(value, "file") == text


def test_an_irregular_plural() -> None:
    assert count(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1234, "1.2 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_500_000_000, "1.5 GB"),
        (2 * 10**12, "2.0 TB"),
        (3 * 10**15, "3.0 PB"),
        (10**18, "1000.0 PB"),
    ],
)
def test_sizes(value: int, text: str) -> None:
    assert size(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (7500, "2 h 5 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_table_lines_up() -> None:
    assert table([("a", "1"), ("long", "20", "x")], right={1}) == ["a      1", "long  20  x"]
    assert table([]) == []


def test_wide_and_combining_characters_count_as_the_terminal_shows_them() -> None:
    assert width("日本") == 4
    assert width("e\u0301") == 1
    assert table([("日本", "x"), ("ab", "y")]) == ["日本  x", "ab    y"]


@pytest.mark.parametrize(
    ("when", "environ", "is_tty", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "0"}, False, False),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"CLICOLOR": "0"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_who_decides_about_colour(when: When, environ: dict[str, str], is_tty: bool, expected: bool) -> None:
    assert use_color(when, environ, is_tty=is_tty) is expected


def test_paint() -> None:
    assert Paint(on=True)("x", "red", "bold") == "\x1b[31;1mx\x1b[0m"
    assert PLAIN("x", "red") == "x"


def test_a_message_carries_no_secret_and_no_command_for_the_terminal() -> None:
    assert safe("https://me:pw@host/x?token=abc") == "https://***@host/x?token=***"
    assert safe("a\x1b[2Jb\rc\nd\te") == "a\\x1b[2Jb\\rc\nd\\te"
    assert safe("name \udcff") == "name \\xff"
    assert safe("half \ud800") == "half \\ud800"
    assert safe("évident 日本") == "évident 日本"
    assert safe("right\u202eleft") == "right\\u202eleft"

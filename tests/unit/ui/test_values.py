from __future__ import annotations

import csv
import json
from io import StringIO

from dvtool.pipeline.values import Row
from dvtool.pipeline.values import compare
from dvtool.ui.jsonout import jsonable
from dvtool.ui.values import Look
from dvtool.ui.values import csv_lines
from dvtool.ui.values import markdown_lines
from dvtool.ui.values import text_lines
from dvtool.ui.values import values_json

SIDES = ("v1", "now")
ROWS = compare(
    [
        {b"m.json": {"acc": 0.9123456789, "n": 1234567, "name": "a|b", "gone": 1}},
        {b"m.json": {"acc": 0.95, "n": 1234568, "name": "=1+1\n<b>", "bad": float("nan")}},
    ]
)


def test_text() -> None:
    assert list(text_lines(SIDES, ROWS, Look())) == [
        "path    key   v1         now        diff",
        "m.json  acc   0.91235    0.95       0.037654",
        "m.json  n     1234567    1234568    1",
        "m.json  name  a|b        =1+1 <b>",
        "m.json  gone  1          (missing)",
        "m.json  bad   (missing)  nan",
    ]


def test_no_rows_are_no_lines_of_text() -> None:
    assert list(text_lines(SIDES, [], Look())) == []


def test_nothing_that_a_terminal_obeys() -> None:
    rows = [Row(b"m\x1b.json", "k\x1b[2J", (("\x1b]0;x\x07",),), ())]
    assert "\x1b" not in "".join(text_lines(("now",), rows, Look()))


def test_markdown() -> None:
    lines = list(markdown_lines(SIDES, ROWS, Look(precision=2, with_path=False)))
    assert lines[:3] == ["| key | v1 | now | diff |", "|---|---|---|---|", "| acc | 0.91 | 0.95 | 0.038 |"]
    assert lines[4] == "| name | a\\|b | =1+1 &lt;b> |  |"


def test_csv_has_whole_numbers_and_no_formulas() -> None:
    read = list(csv.reader(StringIO("\n".join(csv_lines(SIDES, ROWS, Look())), newline="")))
    assert read[1][:4] == ["m.json", "acc", "0.9123456789", "0.95"]
    assert read[4] == ["m.json", "gone", "1", "", ""]
    assert read[3] == ["m.json", "name", "a|b", "'=1+1\n<b>", ""]


def test_json_tells_missing_from_null() -> None:
    rows = compare([{b"p": {"a": None, "b": 1}}, {b"p": {"b": float("inf")}}])
    document = jsonable(values_json(SIDES, rows))
    assert json.loads(json.dumps(document, allow_nan=False)) == {
        "sides": ["v1", "now"],
        "rows": [
            {
                "path": "p",
                "key": "a",
                "changed": True,
                "values": [{"value": None}, None],
                "diffs": [None],
                "old": None,
                "diff": None,
            },
            {
                "path": "p",
                "key": "b",
                "changed": True,
                "values": [{"value": 1}, {"value": "inf"}],
                "diffs": [None],
                "old": 1,
                "new": "inf",
                "diff": None,
            },
        ],
    }


def test_more_than_two_sides_have_a_difference_each() -> None:
    rows = compare([{b"m": {"a": 1}}, {b"m": {"a": 2}}, {b"m": {"a": 4}}])
    assert list(text_lines(("x", "y", "z"), rows, Look(with_path=False))) == [
        "key  x  y  z  diff y  diff z",
        "a    1  2  4  1       3",
    ]

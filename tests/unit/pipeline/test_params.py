"""Values of parameter files of every kind."""

from __future__ import annotations

import pytest

from dvtool.errors import FormatError
from dvtool.formats.lock import Json
from dvtool.pipeline.params import read_values

PYTHON = """\
import os
A = 1
B: float = 1e-3
C = D = 2
E = {"a": (1, 2), "b": {3}}
F = os.environ
G, H = 1, 2
class Train:
    units = 8
    def __init__(self):
        self.rate = -0.5
        local = 1
    def other(self):
        self.never = 1
def __init__(self):
    self.top = 1
if A:
    I = 1
"""


@pytest.mark.parametrize(
    ("file", "text", "values"),
    [
        ("p.yaml", "lr: 1e-3\non: yes\n1: x\nnull: y\n", {"lr": 0.001, "on": "yes", "1": "x", "none": "y"}),
        ("p.yml", "", {}),
        ("params", "- 1\n- 2024-01-01\n", [1, "2024-01-01"]),
        ("p.JSON", '{"a": [1, {"b": null}], "c": 1e3}', {"a": [1, {"b": None}], "c": 1000.0}),
        (
            "p.toml",
            "a = 1\n[b]\nc = 2024-01-01\nd = [1.5, true]\n",
            {"a": 1, "b": {"c": "2024-01-01", "d": [1.5, True]}},
        ),
        ("a.py/p", "a: 1", {"a": 1}),
        (
            "p.py",
            PYTHON,
            {"A": 1, "B": 0.001, "E": {"a": [1, 2], "b": [3]}, "Train": {"units": 8, "rate": -0.5}, "top": 1},
        ),
    ],
)
def test_values(file: str, text: str, values: Json) -> None:
    assert read_values(text.encode(), file.encode()) == values


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("p.yaml", "a: [1", "p.yaml:2:1: not valid YAML"),
        ("d/p.json", '{"a": 1,\n "b": }', "d/p.json:2:7: cannot be read: Expecting value"),
        ("p.json", '{"a": "\\ud800"}', "is no character"),
        ("p.json", "[" * 100_000, "nested deeper than 64 levels"),
        ("p.json", "[" * 66 + "]" * 66, "nested deeper than 64 levels"),
        ("p.json", "9" * 10_000, "cannot be read"),
        ("p.toml", "a = ", "p.toml: cannot be read"),
        ("p.toml", "a = " + "[" * 100_000, "nested"),
        ("p.py", "a = (", "p.py:1:"),
        ("p.py", "a = " + "-" * 100_000 + "1", "nested"),
        ("p.py", "a = 1" + "+ 1" * 100_000, "nested"),
        ("p.py", "a = '\\ud800'", "is no character"),
        ("p.py", "#" * ((1 << 20) + 1), "larger than 1 MiB"),
        ("p.py", "a = 1\0", "cannot be read"),
        ("p.yaml", "a: \udcff", "not UTF-8 text"),
    ],
    ids=lambda text: text[:12],
)
def test_what_cannot_be_read_is_named(file: str, text: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_values(text.encode("utf-8", "surrogateescape"), file.encode())
    assert message in str(caught.value)
    assert str(caught.value).isprintable()

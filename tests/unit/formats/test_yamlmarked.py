"""YAML with places: values of version 1.2, and every limit."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml

from dvtool.errors import FormatError
from dvtool.formats import yamlmarked
from dvtool.formats.yamlmarked import read_yaml
from dvtool.formats.yamlmarked import to_plain

ALIASES = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)


def plain(text: str) -> Any:
    value = read_yaml(text.encode(), "x.yaml")
    return None if value is None else to_plain(value)


@pytest.fixture(params=["c", "python"], autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader in C, and the one in Python that takes its place."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("False", False), ("NULL", None), ("~", None), ("", None),
        ("yes", "yes"), ("off", "off"), ("tRue", "tRue"),
        ("1", 1), ("-0", 0), ("+7", 7), ("010", 10), ("0o17", 15), ("0x1F", 31), ("0b101", 5), ("1_000", 1000),
        ("1e-3", 0.001), ("1E3", 1000.0), (".5", 0.5), ("5.", 5.0), ("-1.5e+2", -150.0), ("1_0.5", 10.5),
        (".inf", math.inf), ("-.INF", -math.inf), ("1:30", "1:30"), ("2024-01-01", "2024-01-01"), ("_", "_"),
        ("._", "._"),
        ("e3", "e3"), ("0x", "0x"), ("=", "="), ("'1'", "1"), ('"true"', "true"), ("!!str 1", "1"), ("!!float 1", 1.0),
        ("! 1", "1"), ("|-\n  1", "1"),
    ],
)  # fmt: skip
def test_scalars(text: str, value: object) -> None:
    found = plain(f"a: {text}\n")["a"]
    assert (type(found), found) == (type(value), value)


def test_not_a_number_is_one() -> None:
    assert math.isnan(plain("a: .nan")["a"])


def test_places_begin_at_keys_and_values() -> None:
    root = read_yaml(b"a:\n  - x\n  - {b: 1}\n", "x.yaml")
    assert root is not None
    inner = root.data["a"].data[1].data["b"]
    assert (inner.mark.line, inner.mark.column, inner.key_mark.column, inner.text) == (2, 8, 5, "1")


def test_aliases_and_merges() -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {q: 0, <<: [*a, *b], z: 5}\nd: {<<: *a}\ne: [*a, *a]\n"
    found = plain(text)
    assert list(found["c"].items()) == [("y", 2), ("z", 5), ("x", 1), ("q", 0)]
    assert found["d"] == {"x": 1, "y": 2}
    assert found["e"] == [{"x": 1, "y": 2}] * 2


def test_nothing_is_nothing() -> None:
    assert read_yaml(b"", "x") is None
    assert read_yaml(b"# only a comment\n", "x") is None
    assert plain("\ufeffa: 1\n") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3:1: the key 'a' stands there already, in line 1"),
        ("1: a\ntrue: b\n", "stands there already"),
        ("a: &x [*x]\n", "names nothing that stands before it"),
        ("a: *x\n", "names nothing that stands before it"),
        ("a: !!python/name:os.system x\n", "the YAML tag"),
        ("a: !own {}\n", "x.yaml:1:4: the YAML tag '!own' is not allowed"),
        ("a: !!int x\n", "'x' is no int"),
        ("{[a]: 1}\n", "a key must be text"),
        ("a: &x 1\n*x : 2\n", "a key must be text"),
        ("a: 1\n---\nb: 2\n", "x.yaml:2:1: a second YAML document"),
        ("a: {<<: 1}\n", "the merge key << takes mappings"),
        ("a: {<<: {x: 1}, <<: {y: 1}}\n", "the merge key << stands twice"),
        ("a: [1\n", "not valid YAML"),
        ("a: '\x01'\n", "not valid YAML"),
        ("a: " + "9" * 401, "a number of more than 400 digits"),
        ("[" * 65 + "]" * 65, "nested deeper than 64 levels"),
        ("[" * 3_000, "nested deeper than 64 levels"),
        ("a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 30 + "*a" + "]" * 30, "nested deeper than 64 levels"),
        (ALIASES, "more than 400000 values"),
        ("a: 1\n<<<<<<< ours\nb: 2\n=======\n", "x.yaml:2:1: a Git merge left conflict markers in it"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_refused_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        plain(text)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def test_bytes_are_bounded_and_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FormatError, match="x:2: not UTF-8 text"):
        read_yaml(b"a: 1\nb: \xff\n", "x")
    monkeypatch.setattr(yamlmarked, "MAX_BYTES", 2 << 20)
    with pytest.raises(FormatError, match="x: larger than 2 MiB"):
        read_yaml(b"#" * ((2 << 20) + 1), "x")

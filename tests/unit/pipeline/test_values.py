from __future__ import annotations

import pytest

from dvtool.formats.lock import Json
from dvtool.pipeline.values import Row
from dvtool.pipeline.values import change
from dvtool.pipeline.values import compare
from dvtool.pipeline.values import flatten
from dvtool.pipeline.values import same


def test_nested_keys_are_dotted_in_the_order_of_the_file() -> None:
    values: Json = {"train": {"lr": 0.1, "layers": [1, 2], "none": {}}, "seed": None}
    assert list(flatten(values).items()) == [
        ("train.lr", 0.1),
        ("train.layers", [1, 2]),
        ("train.none", {}),
        ("seed", None),
    ]


@pytest.mark.parametrize(("values", "flat"), [(None, {}), ({}, {}), (0.9, {"": 0.9}), ([1], {"": [1]})])
def test_a_file_without_keys(values: Json, flat: dict[str, Json]) -> None:
    assert flatten(values) == flat


def test_deep_nesting_does_not_recurse() -> None:
    values: Json = 1
    for _ in range(5000):
        values = {"a": values}
    assert flatten(values) == {".".join(["a"] * 5000): 1}


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ((1,), (3,), 2),
        ((0.5,), (0.25,), -0.25),
        ((2**70,), (2**70 + 1,), 1),
        ((True,), (2,), None),
        (("1",), (2,), None),
        ((float("nan"),), (1,), None),
        ((float("-inf"),), (1,), None),
        ((-1e308,), (1e308,), None),
        ((10**400,), (1.0,), None),
        (None, (1,), None),
        ((1,), None, None),
    ],
    ids=[*"abcdefghijk"],
)
def test_change(old: tuple[Json] | None, new: tuple[Json] | None, difference: float | None) -> None:
    assert change(old, new) == difference


@pytest.mark.parametrize(
    ("old", "new", "equal"),
    [
        ((1,), (1.0,), True),
        ((1,), (True,), False),
        (([{"a": 0}],), ([{"a": False}],), False),
        ((float("nan"),), (float("nan"),), True),
        ((None,), None, False),
        (None, None, True),
        (({"a": 1},), ({"b": 1},), False),
    ],
    ids=[*"abcdefg"],
)
def test_same(old: tuple[Json] | None, new: tuple[Json] | None, equal: bool) -> None:
    assert same(old, new) is equal


def test_only_what_differs_between_any_number_of_sides() -> None:
    one: dict[bytes, Json] = {b"m.json": {"acc": 1, "n": 5}}
    two: dict[bytes, Json] = {b"m.json": {"acc": 1, "n": 5, "new": "x"}}
    three: dict[bytes, Json] = {b"m.json": {"acc": 4, "n": 5}, b"a.json": {"k": 1}}
    assert compare([one, two, three]) == [
        Row(b"a.json", "k", (None, None, (1,)), (None, None)),
        Row(b"m.json", "acc", ((1,), (1,), (4,)), (0, 3)),
        Row(b"m.json", "new", (None, ("x",), None), (None, None)),
    ]
    assert [row.key for row in compare([one, one], everything=True)] == ["acc", "n"]

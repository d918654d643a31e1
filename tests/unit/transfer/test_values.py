"""Values of others, in groups."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dvtool.model.digest import ObjectId
from dvtool.transfer.values import Value
from dvtool.transfer.values import _grouped

SIZES = st.lists(st.integers(0, 3 << 20), max_size=300)


@given(SIZES, st.integers(1, 40))
def test_every_value_is_in_one_group_and_in_its_order(sizes: list[int], workers: int) -> None:
    values = [Value(f"k{number}", size, ObjectId(b"")) for number, size in enumerate(sizes)]
    groups = [*_grouped(values, workers)]
    assert [value for group in groups for value in group] == values
    for group in groups:
        assert 1 <= len(group) <= 32
        assert len(group) == 1 or sum(value.size for value in group) <= 1 << 20


def test_few_are_shared_out() -> None:
    values = [Value(f"k{number}", 10, ObjectId(b"")) for number in range(40)]
    assert max(len(group) for group in _grouped(values, 10)) == 2

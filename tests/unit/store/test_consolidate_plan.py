"""Which small packs of a cache are merged: a plan over sizes alone."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.store.consolidate import MERGED_BYTES
from dvtool.store.consolidate import MERGED_OBJECTS
from dvtool.store.consolidate import SMALL_BYTES
from dvtool.store.consolidate import SMALL_OBJECTS
from dvtool.store.consolidate import SMALL_PACKS
from dvtool.store.consolidate import Plan
from dvtool.store.consolidate import SmallPack
from dvtool.store.consolidate import plan_consolidation
from dvtool.store.localpacks import PackKey

SMALLEST = 124


def key_of(number: int, pack_class: int = DATA) -> PackKey:
    return PackKey(pack_class, hashlib.sha256(b"%d" % number).digest())


def packs_of(shapes: list[tuple[int, int]], pack_class: int = DATA) -> list[SmallPack]:
    return [
        SmallPack(size, key_of(number, pack_class), objects) for number, (size, objects) in enumerate(shapes, 1_000)
    ]


def after(packs: list[SmallPack], plan: Plan) -> list[tuple[int, int]]:
    """Bytes and objects of the small packs that are left."""
    by_key = {pack.key: pack for pack in packs}
    left = [(pack.size, pack.objects) for pack in packs if all(pack.key not in group for group in plan)]
    for group in plan:
        members = [by_key[key] for key in group]
        left.append((sum(pack.size for pack in members), sum(pack.objects for pack in members)))
    return left


def is_small(size: int, objects: int) -> bool:
    return size < SMALL_BYTES and objects < SMALL_OBJECTS


sizes = st.one_of(st.integers(SMALLEST, 4_000), st.integers(SMALLEST, SMALL_BYTES - 1))
objects = st.one_of(st.integers(1, 20), st.integers(1, SMALL_OBJECTS - 1))
shapes = st.lists(st.tuples(sizes, objects), max_size=80)


@given(shapes)
@example([(SMALL_BYTES - 1, 1)] * 60)
@example([(SMALLEST, SMALL_OBJECTS - 1)] * 60)
def test_a_plan_takes_the_smallest_and_leaves_each_pack_twice_the_next(shapes: list[tuple[int, int]]) -> None:
    packs = packs_of(shapes)
    plan = plan_consolidation(packs)
    if len(packs) <= SMALL_PACKS:
        assert plan == ()
        return
    ((*group,),) = plan
    merged = [pack for pack in packs if pack.key in group]
    assert len(set(group)) == len(group) == len(merged) > 1
    size, count = sum(pack.size for pack in merged), sum(pack.objects for pack in merged)
    assert size <= MERGED_BYTES
    assert count <= MERGED_OBJECTS
    others = sorted(pack.size for pack in packs if pack.key not in group)
    assert max(pack.size for pack in merged) <= min(others, default=size)
    left = after(packs, plan)
    assert sum(size for size, _ in left) == sum(size for size, _ in shapes)
    if is_small(size, count):
        assert all(larger >= 2 * smaller for smaller, larger in pairwise(sorted(size for size, _ in left)))
        assert len(left) <= SMALL_PACKS


@given(shapes)
def test_a_plan_does_not_depend_on_the_order(shapes: list[tuple[int, int]]) -> None:
    packs = packs_of(shapes)
    assert plan_consolidation(sorted(packs, key=lambda pack: pack.key.id)) == plan_consolidation(packs)


def test_classes_never_meet_and_each_has_a_threshold_of_its_own() -> None:
    data, meta = packs_of([(500, 1)] * 33), packs_of([(500, 1)] * 33, META)
    assert plan_consolidation(data[:32] + meta[:32]) == ()
    assert [{key.pack_class for key in group} for group in plan_consolidation(data + meta[:32])] == [{DATA}]
    assert [{key.pack_class for key in group} for group in plan_consolidation(data + meta)] == [{DATA}, {META}]


def test_packs_that_are_geometric_are_left_alone() -> None:
    packs = packs_of([(3 * 2**power, 1) for power in range(40)])
    assert plan_consolidation(packs) == ()


def bytes_copied(added: list[int]) -> tuple[int, int]:
    """Bytes copied, and the most packs there were, when packs of these sizes come one by one."""
    packs: list[SmallPack] = []
    copied = most = 0
    for number, size in enumerate(added):
        packs.append(SmallPack(size, key_of(number), 1))
        most = max(most, len(packs))
        for group in plan_consolidation(packs):
            merged = [pack for pack in packs if pack.key in group]
            total, objects = sum(pack.size for pack in merged), sum(pack.objects for pack in merged)
            copied += total
            packs = [pack for pack in packs if pack.key not in group]
            if is_small(total, objects):
                packs.append(SmallPack(total, key_of(-number - 1), objects))
    return copied, most


@given(st.lists(sizes, min_size=33, max_size=120))
def test_packs_that_come_one_by_one_stay_few_and_are_seldom_copied(added: list[int]) -> None:
    copied, most = bytes_copied(added)
    assert most == SMALL_PACKS + 1
    assert copied <= 4 * sum(added)


@pytest.mark.parametrize(("count", "times"), [(200, 4), (2_000, 7)])
def test_copies_of_a_byte_grow_with_the_logarithm(count: int, times: int) -> None:
    copied, _ = bytes_copied([500] * count)
    assert 0 < copied <= times * 500 * count

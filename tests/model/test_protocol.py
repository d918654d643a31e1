"""Whatever two pushers and two collectors do, and however long they sleep, no push that ended well is lost.

The whole of the largest size takes many minutes: it runs where ``DVTOOL_MODEL`` is ``full``, as in `make torture`.
"""

from __future__ import annotations

import os

import pytest

from tests.model.explore import explore
from tests.model.explore import shortest_loss
from tests.model.protocol import Protocol
from tests.model.values import Rules
from tests.model.values import Size

FULL = os.environ.get("DVTOOL_MODEL") == "full"
only_full = pytest.mark.skipif(not FULL, reason="takes minutes: DVTOOL_MODEL=full")


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(Size(1, 1, stale=True), id="one pusher, one collector"),
        pytest.param(Size(1, 1, packs=2, stale=True), id="two packs of it"),
        pytest.param(Size(2, 1), id="two pushers, one collector"),
        pytest.param(Size(2, 1, packs=2, stale=True), id="two pushers, two packs", marks=only_full),
        pytest.param(Size(1, 2, memo=False, release=False), id="one pusher, two collectors", marks=only_full),
        pytest.param(Size(1, 2), id="one pusher, two collectors that release records", marks=only_full),
        pytest.param(Size(2, 2, memo=False, release=False), id="two pushers, two collectors", marks=only_full),
    ],
)
def test_nothing_is_lost(size: Size) -> None:
    states = explore(Protocol(size))
    print(f"{states:,} states")
    assert states > 1_000


ONE = Size(1, 1, stale=True, swaps=False)


@pytest.mark.parametrize(
    ("without", "size", "steps"),
    [
        pytest.param(Rules(second_look=False), ONE, 13, id="the second look"),
        pytest.param(Rules(fresh_keys=False), ONE, 19, id="fresh keys"),
        pytest.param(Rules(dead_before_packs=False), ONE, 17, id="dead lists before packs"),
        pytest.param(Rules(records_again=False), ONE, 15, id="the second reading of the records"),
        pytest.param(Rules(doomed_stays=False), ONE, 14, id="doomed stays doomed"),
        pytest.param(Rules(list_last=False), ONE, 17, id="the dead list goes last"),
        pytest.param(
            Rules(lists_before_records=False),
            Size(1, 2, memo=False, release=False),
            22,
            id="lists to finish are chosen before the records are read",
        ),
        pytest.param(
            Rules(copies_of_doomed=False),
            Size(1, 2, memo=False, release=False),
            27,
            id="a copy in a doomed pack is none",
            marks=only_full,
        ),
        pytest.param(
            Rules(dead_before_record=False), Size(1, 2), 24, id="dead lists before the record", marks=only_full
        ),
    ],
)
def test_no_rule_can_be_left_out(without: Rules, size: Size, steps: int) -> None:
    """The shortest way to a loss is printed; it is as long as the page on deleting says."""
    trace = shortest_loss(Protocol(size, without))
    print("\n".join(trace))
    assert len(trace) == steps

"""Nothing but dvtool's own errors comes out of a parser, whatever becomes of a valid encoding."""

from __future__ import annotations

import os
from operator import itemgetter

import pytest
from hypothesis import HealthCheck
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS
from tests.fuzz.targets import Target
from tests.fuzz.targets import harmless
from tests.fuzz.targets import sealed

EXAMPLES = 6_000 if os.environ.get("DVTOOL_TORTURE") == "1" else 120
_NUMBERS = (b"\xff" * 4, b"\xff" * 8, bytes(8), b"\x7f", b"\x80", b"\x00\x00\x00\x80", b"\x01")

bounded = settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES < 1_000,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@st.composite
def mutated(draw: st.DrawFn, target: Target) -> bytes:
    """A seed, spliced with another, with pieces replaced, repeated, moved or cut off."""
    data = bytearray(draw(st.sampled_from(target.seeds)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from((0, 1, 2, 4, 8, 32))))
        new = draw(
            st.one_of(
                st.binary(max_size=6),
                st.sampled_from((*_NUMBERS, *target.words)),
                st.just(bytes(data[start : start + 64])),
                st.sampled_from(target.seeds).map(itemgetter(slice(start, start + 40))),
            )
        )
        data[start:end] = new * draw(st.sampled_from((1, 1, 1, 2, 40)))
        if draw(st.integers(0, 9)) == 0:
            del data[draw(st.integers(0, len(data))) :]
    return bytes(data)


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_seeds_are_taken_as_they_are(target: Target) -> None:
    for seed in target.seeds:
        harmless(target, seed)
    harmless(target, b"")


@pytest.mark.parametrize("target", TARGETS, ids=str)
@given(data=st.data())
@bounded
def test_mutations(target: Target, data: st.DataObject) -> None:
    damaged = data.draw(mutated(target))
    harmless(target, damaged)
    harmless(target, sealed(target, damaged))


@pytest.mark.parametrize("target", TARGETS, ids=str)
@given(data=st.binary(max_size=400))
@example(data=b"\xff" * 100)
@example(data=bytes(100))
@settings(bounded, max_examples=max(40, EXAMPLES // 10))
def test_random_bytes(target: Target, data: bytes) -> None:
    harmless(target, data)

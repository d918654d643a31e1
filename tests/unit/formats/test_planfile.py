"""A saved plan."""

from __future__ import annotations

import pytest

from dvtool.errors import FormatError
from dvtool.formats.planfile import SavedPlan
from dvtool.formats.planfile import SavedStage
from dvtool.formats.planfile import decode_plan
from dvtool.formats.planfile import encode_plan

PLAN = SavedPlan(
    {"targets": ["train"], "force": False},
    {
        "prepare": SavedStage("skip", "00", "11", {"raw": "blake3:22", "env:X": None}, {}, {"clean": "blake3:33/"}),
        'odd "é\n\udc80': SavedStage(
            "run", "44", "", {}, {"params.yaml": {"lr": "0.1", "many": "[1, 2]"}}, {"m": None}
        ),
    },
)


def test_a_plan_comes_back_as_it_was() -> None:
    data = encode_plan(PLAN)
    assert decode_plan(data, "p") == PLAN
    assert list(decode_plan(data, "p").stages) == list(PLAN.stages)
    assert encode_plan(decode_plan(data, "p")) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        b"\xff",
        b'{"dvtool": "lock", "version": 1, "request": {}, "stages": {}}',
        b'{"dvtool": "plan", "version": true, "request": {}, "stages": {}}',
        b'{"dvtool": "plan", "version": 1, "request": [], "stages": {}}',
        b'{"dvtool": "plan", "version": 1, "request": {}, "stages": {"a": {}}}',
        encode_plan(PLAN).replace(b'"0.1"', b"0.1"),
        encode_plan(PLAN).replace(b'"blake3:22"', b"[]"),
        b"[" * 100_000,
    ],
    ids=range(11),
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="not a dvtool plan"):
        decode_plan(data, "p")


def test_a_newer_version_is_told_to_be_one() -> None:
    with pytest.raises(FormatError, match="newer"):
        decode_plan(encode_plan(PLAN).replace(b'"version": 1', b'"version": 2'), "p")

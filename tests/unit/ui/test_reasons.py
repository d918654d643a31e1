"""Reasons in words."""

from __future__ import annotations

import pytest

from dvtool.pipeline.types import Because
from dvtool.pipeline.types import Reason
from dvtool.ui.reasons import reason_details
from dvtool.ui.reasons import reason_words
from dvtool.ui.reasons import weightiest

LONG = "python train.py --data prepared/all-of-it.csv --out models/last.bin --epochs {} --more and more of it all"


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ("3", "4", "3 -> 4"),
        ("", "4", "4"),
        ("a" * 60, "b", "a" * 60 + " -> b"),
        ("a" * 61, "b", "a" * 57 + "... -> b"),
        (
            LONG.format(3),
            LONG.format(40),
            "...s/last.bin --epochs 3 --more and more of it all -> ...s/last.bin --epochs 40 --more and more of it all",
        ),
        ("line 1\nline 2", "line 1", "line 1\\nline 2 -> line 1"),
    ],
    ids=["short", "new", "just fits", "cut", "the difference is shown", "one line"],
)
def test_values_are_cut_to_what_differs(before: str, after: str, change: str) -> None:
    words = reason_words(Reason(Because.COMMAND_CHANGED, "", before, after))
    assert words == f"its command changed: {change}"


def test_a_difference_far_from_the_start_is_shown_whatever_the_length() -> None:
    words = reason_words(Reason(Because.PARAM_CHANGED, "p:k", "x" * 500 + "1" * 90, "x" * 500 + "2" * 90))
    assert "x1" in words and "x2" in words and len(words) < 160


def test_every_cause_has_words_and_digests_are_details() -> None:
    for because in Because:
        assert reason_words(Reason(because, "subject"))
    changed = Reason(Because.DEP_CHANGED, "data", "blake3:" + "a" * 64, "blake3:" + "b" * 64)
    assert reason_words(changed) == "dependency data changed"
    assert reason_details(changed) == f"dependency data changed: blake3:{'a' * 12} -> blake3:{'b' * 12}"


def test_the_weightiest_reason_says_how_many_more_there_are() -> None:
    assert weightiest([]) == ""
    assert weightiest([Reason(Because.FORCED), Reason(Because.ALWAYS)]) == "a run was demanded (and 1 more)"

"""Causes in words."""

from __future__ import annotations

import pytest

from dvtool.pipeline.types import Action
from dvtool.pipeline.types import Because
from dvtool.pipeline.types import Reason
from dvtool.pipeline.why import Cause
from dvtool.pipeline.why import Explained
from dvtool.project.authors import UNCOMMITTED
from dvtool.project.authors import Authored
from dvtool.ui.reasons import reason_words
from dvtool.ui.reasons import weightiest
from dvtool.ui.terminal import PLAIN
from dvtool.ui.why import why_lines

RATE = Reason(Because.PARAM_CHANGED, "params.yaml:lr", "0.1", "0.2")
RAW = Reason(Because.DEP_CHANGED, "raw", "blake3:" + "1" * 64, "blake3:" + "2" * 64)


def test_each_stage_once_with_the_commit_at_the_end_of_a_chain() -> None:
    raw, rate = Cause(RAW, "", b"raw"), Cause(RATE, "", b"params.yaml", "lr")
    explained = [
        Explained("train", Action.RUN, (rate, Cause(Reason(Because.UPSTREAM_RUNS, "prepare"), "prepare"))),
        Explained("prepare", Action.RUN, (raw,)),
    ]
    authors = {rate: Authored("a" * 40, "Ann", "2026-01-02T03:04:05+00:00", "slower\x1b[0m"), raw: UNCOMMITTED}
    assert [*why_lines(explained, authors, PLAIN)] == [
        "train would run",
        "  parameter params.yaml:lr changed: 0.1 -> 0.2",
        "    aaaaaaaaaa 2026-01-02 Ann: slower\\x1b[0m",
        "  stage prepare comes before it (see prepare below)",
        "",
        "prepare would run",
        "  dependency raw changed: blake3:111111111111 -> blake3:222222222222",
        "    not committed yet",
    ]


@pytest.mark.parametrize("because", list(Because), ids=lambda because: because.name)
def test_every_reason_has_words(because: Because) -> None:
    words = reason_words(Reason(because, "it's {this}", "1", "2"))
    assert words
    assert "{}" not in words


def test_long_values_are_cut_and_others_counted() -> None:
    long = Reason(Because.PARAM_ADDED, "p:k", "", "x" * 500)
    assert len(reason_words(long)) < 100
    assert weightiest([RATE, RAW]) == "parameter params.yaml:lr changed: 0.1 -> 0.2 (and 1 more)"
    assert not weightiest([])

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.measure import CommandFailed
from benchmarks.measure import Sample
from benchmarks.measure import timed
from benchmarks.model import AtMost
from benchmarks.model import Faster
from benchmarks.model import Mark
from benchmarks.model import Peak
from benchmarks.model import Result
from benchmarks.model import Seconds
from benchmarks.model import Within
from benchmarks.rows import number


def _result() -> Result:
    result = Result("add", "`add`")
    for ours, theirs in ((1.0, 10.0), (2.0, 30.0), (3.0, 20.0)):
        result.add("dvtool", Sample(ours, ours, 50.0 * ours, b""))
        result.add("DVC", Sample(theirs, theirs, 100.0, b""))
    result.counts["requests"] = 7
    return result


@pytest.mark.parametrize(
    ("mark", "reached"),
    [
        (Faster("DVC", 10), True),
        (Faster("DVC", 10.1), False),
        (Faster("restic", 1), None),
        (Within("DVC", 0.1), True),
        (Within("DVC", 0.09), False),
        (Seconds(2), True),
        (Seconds(1.9), False),
        (Peak(151, "dvtool"), True),
        (Peak(150, "dvtool"), False),
        (AtMost("requests", 7), True),
        (AtMost("requests", 6), False),
        (AtMost("hashed", 6), None),
    ],
)
def test_a_mark_is_judged_by_medians_peaks_and_counts(mark: Mark, reached: bool | None) -> None:
    assert mark.judge(_result())[2] is reached


def test_pairs_are_compared_run_by_run() -> None:
    assert _result().pair_ratio("DVC", "dvtool") == 10.0


def test_the_page_says_what_was_not_reached(tmp_path: Path) -> None:
    result = _result()
    result.marks.append(Faster("DVC", 11).judge(result))
    kept = report.save([result], tmp_path / "results.json")
    kept = report.save([Result("push", "`push`")], tmp_path / "results.json")
    text = report.page(kept, versions={"dvtool": "1"}, place="here", scale=0.5, runs=3)
    assert [row.key for row in kept] == ["add", "push"]
    assert "| `add` | at least 11x faster than DVC | 10.0x | **no** |" in text
    assert "no results" in text


def test_numbers_are_found_in_nested_json() -> None:
    sample = Sample(0, 0, 0, b'{"schema": "x", "items": [{"stats": {"hashed": 3}}]}')
    assert number(sample, "hashed") == 3
    assert number(sample, "sent") is None
    assert number(Sample(0, 0, 0, b"no json"), "hashed") is None


def test_a_failed_command_shows_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"ended with 3:\nwhy"):
        timed(["sh", "-c", "echo why >&2; exit 3"], tmp_path, {"PATH": "/usr/bin:/bin"})
    assert timed(["sh", "-c", "echo out; exit 3"], tmp_path, {"PATH": "/usr/bin:/bin"}, allowed=(3,)).output == b"out\n"

"""Patterns of dependencies, beside what pathlib says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvtool.pipeline.globs import matches
from dvtool.pipeline.globs import may_match_below
from dvtool.pipeline.globs import static_prefix


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        (b"src/*.py", b"src/a.py", True),
        (b"src/*.py", b"src/b/a.py", False),
        (b"src/**/*.py", b"src/a.py", True),
        (b"src/**/*.py", b"src/b/c/a.py", True),
        (b"src/**", b"src/b/c", True),
        (b"**/a", b"a", True),
        (b"**/x/**/y", b"a/x/b/x/c/y", True),
        (b"**/x/**/y", b"a/b/y", False),
        (b"[a-c]?", b"b1", True),
        (b"[!a]", b"a", False),
        (b"*", b".hidden", True),
        (b"a", b"a/b", False),
        (b"a/b", b"a", False),
    ],
)
def test_patterns(pattern: bytes, path: bytes, expected: bool) -> None:
    assert matches(pattern, path) is expected


@pytest.mark.parametrize(
    ("pattern", "prefix"), [(b"a/b/*.py", b"a/b"), (b"*.py", b""), (b"a/b", b"a"), (b"a/[x]/c/d", b"a"), (b"**", b"")]
)
def test_the_fixed_beginning(pattern: bytes, prefix: bytes) -> None:
    assert static_prefix(pattern) == prefix


names = st.sampled_from([b"a", b"b", b"ab", b"a.py"])
paths = st.lists(names, min_size=1, max_size=4).map(b"/".join)
patterns = st.lists(names | st.sampled_from([b"*", b"?", b"**", b"a*", b"[ab]"]), min_size=1, max_size=4).map(b"/".join)


@given(patterns, paths, paths)
def test_nothing_that_matches_is_passed_over(pattern: bytes, path: bytes, below: bytes) -> None:
    whole = path + b"/" + below
    if matches(pattern, whole):
        assert may_match_below(pattern, path) and may_match_below(pattern, whole)
        assert whole.startswith(static_prefix(pattern))

"""Ignore files of two branches."""

from __future__ import annotations

import pytest

from dvtool.git.ignoremerge import is_ignore_file
from dvtool.git.ignoremerge import merge_patterns


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ("", "/a\n", "/b\n", "/a\n/b\n"),
        ("/d\n", "/d\n/a\n", "/d\n/b\n", "/d\n/b\n/a\n"),
        ("/d\n/e\n", "/e\n/a\n", "/d\n/b\n", "/a\n/b\n"),
        ("/d\n", "", "/d\n/b\n", "/b\n"),
        ("/d\n", "/d\n\n# mine\n*.o\n/a\n", "/d\n\n# mine\n*.o\n/b\n", None),
        ("# x\n/d\n", "# x\n/d\n\n/a", "# x\n/d\n/b\n", "# x\n/d\n/b\n\n/a\n"),
        ("/d\n", "/d\n!/d/a\n", "/d\n/b\n", None),
        ("/d\n", "/same\n", "/same\n", "/same\n"),
    ],
)
def test_plain_patterns_come_together(base: str, ours: str, theirs: str, merged: str | None) -> None:
    found = merge_patterns(base.encode(), ours.encode(), theirs.encode())
    assert found == (None if merged is None else merged.encode())


def test_names() -> None:
    assert [is_ignore_file(path) for path in (b".gitignore", b"a/.gitignore", b"a.gitignore", b".dvtoolignore")] == [
        True,
        True,
        False,
        False,
    ]

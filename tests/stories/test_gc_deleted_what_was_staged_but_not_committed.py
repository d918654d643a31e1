"""A clean-up deleted objects that were staged and not committed yet; the later commit could not be pushed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.clones import Clone
from tests.e2e.story import noise

pytestmark = pytest.mark.e2e

STAGED = {"a": b"staged", "large": noise("staged", 200_000)}


@pytest.fixture
def staged(ann: Clone) -> Clone:
    """One version is committed and pushed, another is staged only, the worktree holds a third."""
    for version in ({"a": b"committed"}, STAGED):
        ann.create({"data": version})
        ann.run("add", "data")
        ann.git("add", "-A")
        if version is not STAGED:
            ann.commit()
            ann.run("push")
    (ann.root / "data/large").unlink()
    ann.create({"data": {"a": b"worktree"}})
    ann.run("add", "data")
    return ann


def test_gc_keeps_it(staged: Clone, tmp_path: Path) -> None:
    staged.run("gc", "--workspace", "--grace", "0", "--no-trash", "--force")
    staged.git("commit", "-q", "-m", "what was staged")
    staged.git("checkout", "-q", "--", "data.dvt")
    staged.run("checkout", "--force")
    staged.assert_data(STAGED)
    staged.run("push")
    bob = staged.clone(tmp_path / "bob")
    bob.run("pull")
    bob.assert_data(STAGED)


def test_drop_keeps_it(staged: Clone) -> None:
    staged.run("drop", "data", code=4)
    staged.run("push")
    staged.run("drop", "data")
    staged.git("commit", "-q", "-m", "what was staged")
    staged.git("checkout", "-q", "--", "data.dvt")
    staged.run("checkout")
    staged.assert_data(STAGED)

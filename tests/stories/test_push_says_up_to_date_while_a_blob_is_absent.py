"""`push` and `status -c` said "in sync" while a blob was absent on the remote, and nothing made push send it again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clones import Clone
from tests.e2e.story import noise
from tests.stories.support import packs

pytestmark = pytest.mark.e2e

DATA: dict[str, Any] = {
    "data": {"a": b"a", "sub": {"b": b"b", "middle": noise("middle", 200_000)}, "large": noise("l", 6_000_000)}
}


@pytest.fixture
def pushed(ann: Clone) -> Clone:
    ann.create(DATA)
    ann.run("add", "data")
    ann.commit()
    ann.run("push")
    assert "up to date" in ann.run("push").out
    return ann


def test_whatever_vanishes_is_noticed_and_sent_again(pushed: Clone, remote: Path, tmp_path: Path) -> None:
    for number in range(len(packs(remote))):
        gone = packs(remote)[number]
        gone.unlink()
        assert pushed.run("status", "--cloud", "--json").document["cloud"]
        assert "up to date" not in pushed.run("push").out
        assert pushed.run("status", "--cloud", "--json").document["cloud"] == []
    bob = pushed.clone(tmp_path / "bob")
    bob.run("pull")
    bob.assert_data(DATA["data"])


def test_what_was_collected_on_the_server_is_sent_again(pushed: Clone, remote: Path, tmp_path: Path) -> None:
    """A branch was deleted on the server, its objects were collected there, and they were never sent again."""
    for folder in ("data", "meta", "index", "roots"):
        shutil.rmtree(remote / folder)
    assert "up to date" not in pushed.run("push").out
    bob = pushed.clone(tmp_path / "bob")
    bob.run("pull")
    bob.assert_data(DATA["data"])


def test_what_is_neither_here_nor_there_is_named(pushed: Clone, remote: Path) -> None:
    for store in (remote, pushed.cache):
        for path in [*packs(store), *(store / "objects").rglob("*")]:
            if path.is_file():
                path.unlink()
    done = pushed.run("push", code=4)
    assert "data" in done.error
    assert "up to date" not in done.out

"""With expired credentials a command succeeded, and recorded an empty directory as the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clones import new_clone
from tests.stories.support import contents
from tests.support.seaweed import Seaweed

pytestmark = [pytest.mark.e2e, pytest.mark.s3]

DATA: dict[str, Any] = {"data": {"a": b"a", "sub": {"b": b"b"}}}


def test_every_verb_fails_and_changes_nothing(seaweed: Seaweed, tmp_path: Path) -> None:
    ann = new_clone(tmp_path / "ann", seaweed.environment)
    ann.run("remote", "add", "-q", "-d", "origin", seaweed.new_url())
    ann.run("remote", "modify", "-q", "origin", "endpointurl", seaweed.endpoint)
    ann.create(DATA)
    ann.run("add", "data")
    ann.commit()
    ann.run("push")
    bob = ann.clone(tmp_path / "bob")
    expired = {"AWS_SECRET_ACCESS_KEY": "expired"}
    pointer = (bob.root / "data.dvt").read_bytes()
    for argv in (["pull"], ["fetch"], ["status", "--cloud"], ["push"], ["pull", "--force"]):
        done = bob.run(*argv, code=7, environ=expired)
        assert "origin" in done.error
        assert not (bob.root / "data").exists()
        assert (bob.root / "data.dvt").read_bytes() == pointer
    before = contents(ann.root / "data")
    ann.run("drop", "data", code=7, environ=expired)
    assert contents(ann.root / "data") == before
    bob.run("pull")
    bob.assert_data(DATA["data"])

"""A large file was pushed, "complete"; whoever cloned could not get it back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.clones import Clone
from tests.e2e.story import noise
from tests.faults.injector import KILL
from tests.faults.injector import NONE
from tests.faults.injector import Injector

pytestmark = [pytest.mark.e2e, pytest.mark.crash]

DATA = noise("checkpoint", 40_000_000)


def test_what_a_push_calls_done_can_be_cloned(ann: Clone, injector: Injector, tmp_path: Path) -> None:
    (ann.root / "model.bin").write_bytes(DATA)
    ann.run("add", "model.bin")
    ann.commit()
    calls = injector.run(("push", "--dry-run"), ann.root, below=tmp_path, fault=KILL._replace(mode=NONE.mode)).count
    for at in (calls + 5, calls + 15, calls + 30):
        ended = injector.run(("push",), ann.root, below=tmp_path, fault=KILL, at=at)
        assert ended.code < 0, ended
        early = ann.clone(tmp_path / f"early-{at}")
        early.run("pull", code=early_code(early))
        assert not (early.root / "model.bin").exists()
    ann.run("push")
    bob = ann.clone(tmp_path / "bob")
    bob.run("pull")
    assert (bob.root / "model.bin").read_bytes() == DATA


def early_code(clone: Clone) -> int:
    """Where nothing was pushed whole, the data is missing; the remote may not even be a store yet."""
    return 4

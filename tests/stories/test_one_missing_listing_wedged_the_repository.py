"""One directory's listing was missing, and pull, status and add failed for everything else as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.clones import Clone
from tests.stories.support import packs

pytestmark = pytest.mark.e2e


def test_all_that_exists_is_restored_and_the_rest_is_named(ann: Clone, remote: Path, tmp_path: Path) -> None:
    keys: dict[str, set[Path]] = {}
    for name in ("one", "two", "three"):
        ann.create({name: {"a": f"{name} a", "b": f"{name} b"}})
        ann.run("add", name)
        ann.commit(name)
        before = set(packs(remote))
        ann.run("push")
        keys[name] = set(packs(remote)) - before
    for path in keys["two"]:
        if path.is_relative_to(remote / "meta"):
            path.unlink()
    bob = ann.clone(tmp_path / "bob")
    done = bob.run("pull", code=4)
    assert "two" in done.error
    assert "one" not in done.error and "three" not in done.error
    for name in ("one", "three"):
        bob.assert_data({"a": f"{name} a", "b": f"{name} b"}, name)
    bob.run("status")
    (bob.root / "one/new").write_bytes(b"new")
    bob.run("add", "one")
    bob.commit()
    ann.run("push")
    bob.run("pull")
    bob.assert_data({"a": "two a", "b": "two b"}, "two")

"""A flipped bit on the remote went into the cache with a pull, and from there into the workspace."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.clones import Clone
from tests.e2e.clones import run_in
from tests.e2e.story import noise
from tests.stories.support import assert_sound
from tests.stories.support import contents
from tests.stories.support import packs
from tests.support.datasets import damage

pytestmark = pytest.mark.e2e

DATA = {"small": b"small" * 100, "middle": noise("middle", 300_000), "large": noise("large", 6_000_000)}


def test_a_flipped_bit_goes_nowhere(ann: Clone, remote: Path, tmp_path: Path) -> None:
    ann.create({"data": DATA})
    ann.run("add", "data")
    ann.commit()
    ann.run("push")
    original = ann.clone(tmp_path / "original")
    for number, pack in enumerate(packs(remote)):
        whole = pack.read_bytes()
        for part in (0.3, 0.6, 0.97):
            damage(pack, int(len(whole) * part))
            bob = Clone(tmp_path / f"bob-{number}-{part}")
            shutil.copytree(original.root, bob.root, symlinks=True)
            done = run_in(bob.root, ["dvtool", "pull"], b"", {})
            stand = contents(bob.root / "data") if (bob.root / "data").exists() else {}
            assert all(DATA[name] == data for name, data in stand.items())
            assert done.code in (3, 4) or stand == DATA, done
            assert_sound(bob)
            pack.write_bytes(whole)
            bob.run("pull")
            bob.assert_data(DATA)

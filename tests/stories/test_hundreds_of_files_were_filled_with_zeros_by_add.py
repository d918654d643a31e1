"""325 files were filled with zeros after `add`; restored from a backup, the next `add` did it again."""

from __future__ import annotations

import pytest

from tests.e2e.clones import Clone
from tests.e2e.story import noise
from tests.stories.support import assert_sound
from tests.stories.support import contents
from tests.support.trees import create_tree

pytestmark = pytest.mark.e2e

FILES = {f"scan-{number:03}.raw": noise(f"scan {number}", 1_000 if number % 5 else 140_000) for number in range(325)}


@pytest.mark.parametrize("link", ["reflink,copy", "copy", "hardlink", "symlink"])
def test_every_byte_stays_and_comes_back(ann: Clone, link: str) -> None:
    ann.run("config", "cache.type", link)
    create_tree(ann.root / "data", FILES)
    before = contents(ann.root / "data")
    for _ in range(2):
        ann.run("add", "data")
        assert contents(ann.root / "data") == before
        ann.run("checkout", "--relink")
        assert contents(ann.root / "data") == before
    for name in FILES:
        (ann.root / "data" / name).unlink()
    ann.run("checkout")
    assert contents(ann.root / "data") == before
    assert_sound(ann, whole=True)

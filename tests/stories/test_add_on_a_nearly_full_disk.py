"""`add` on a nearly full disk crashed, and the original files were gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.clones import new_clone
from tests.e2e.story import noise
from tests.stories.support import contents
from tests.support.trees import create_tree

pytestmark = [pytest.mark.e2e, pytest.mark.crash]

DATA = {f"{number}.bin": noise(f"full {number}", 1_500_000) for number in range(5)}


@pytest.mark.parametrize("link", ["copy", "hardlink", "symlink"])
def test_the_originals_are_all_there(small_disk: Path, link: str) -> None:
    clone = new_clone(small_disk / "repo")
    clone.run("config", "cache.type", link)
    create_tree(clone.root / "data", DATA)
    before = contents(clone.root / "data")
    for _ in range(2):
        done = clone.run("add", "data", code=7)
        assert "space" in done.error or "full" in done.error
        assert contents(clone.root / "data") == before
        assert not (clone.root / "data.dvt").exists()


def test_once_there_is_room_the_same_command_goes_on(small_disk: Path) -> None:
    clone = new_clone(small_disk / "repo")
    clone.run("config", "cache.type", "copy")
    create_tree(clone.root, {"data": {"0.bin": DATA["0.bin"], "1.bin": DATA["1.bin"]}})
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(6_500_000))
    before = contents(clone.root / "data")
    clone.run("add", "data", code=7)
    assert contents(clone.root / "data") == before
    ballast.unlink()
    clone.run("add", "data")
    assert contents(clone.root / "data") == before
    for name in before:
        (clone.root / "data" / name).unlink()
    clone.run("checkout")
    assert contents(clone.root / "data") == before


def test_small_files_that_do_not_fit(small_disk: Path) -> None:
    clone = new_clone(small_disk / "repo")
    create_tree(
        clone.root / "data", {f"{number}": noise((number and f"s{number}") or "s", 3_000) for number in range(900)}
    )
    (small_disk / "ballast").write_bytes(bytes(6_500_000))
    before = contents(clone.root / "data")
    clone.run("add", "data", code=7)
    assert contents(clone.root / "data") == before

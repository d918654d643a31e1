"""Editing a hardlinked file in place changed the object in the cache, which was then deleted with the edit in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.clones import Clone
from tests.e2e.clones import run_in
from tests.e2e.story import noise
from tests.stories.support import assert_sound

pytestmark = pytest.mark.e2e

DATA = {"small": b"small", "large": noise("large", 300_000)}


@pytest.fixture
def tracked(ann: Clone) -> Clone:
    ann.create({"data": DATA})
    ann.run("add", "data")
    ann.commit()
    ann.run("push")
    return ann


def test_as_it_is_set_up_an_edit_in_place_changes_no_object(tracked: Clone) -> None:
    for name in DATA:
        with open(tracked.root / "data" / name, "r+b") as file:
            file.write(b"edited in place")
    assert_sound(tracked, whole=True)
    tracked.run("checkout", "--force")
    tracked.assert_data(DATA)


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_linked_files_are_read_only_and_unprotect_makes_them_private(tracked: Clone, link: str) -> None:
    tracked.run("config", "cache.type", link)
    tracked.run("checkout", "--relink")
    for name in DATA:
        assert not (tracked.root / "data" / name).stat().st_mode & 0o222
    tracked.run("unprotect", "data")
    (tracked.root / "data/large").write_bytes(b"edited")
    assert_sound(tracked, whole=True)


def test_who_edits_a_linked_file_by_force_loses_neither_the_edit_nor_the_original(
    tracked: Clone, tmp_path: Path
) -> None:
    tracked.run("config", "cache.type", "hardlink")
    tracked.run("checkout", "--relink")
    path = tracked.root / "data/large"
    path.chmod(0o644)
    edited = b"forced edit" + path.read_bytes()[11:]
    with open(path, "r+b") as file:
        file.write(b"forced edit")
    done = run_in(tracked.root, ["dvtool", "fsck", "--deep", "--repair"], b"", {})
    assert "Traceback" not in done.err, done
    assert path.read_bytes() == edited
    tracked.run("add", "data")
    tracked.commit("the edit")
    tracked.run("push")
    tracked.git("checkout", "-q", "HEAD~1")
    tracked.run("pull")
    tracked.assert_data(DATA)
    tracked.git("checkout", "-q", "-")
    tracked.run("checkout")
    assert path.read_bytes() == edited

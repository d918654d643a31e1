"""A server cut off uploads; push reported success, and the next person pulled truncated files."""

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

pytestmark = pytest.mark.e2e

DATA = {"data": {"small": b"small", "middle": noise("middle", 300_000), "large": noise("large", 9_000_000)}}


@pytest.fixture
def bob(ann: Clone, tmp_path: Path) -> Clone:
    """Ann has pushed; Bob has cloned and not pulled."""
    ann.create(DATA)
    ann.run("add", "data")
    ann.commit()
    ann.run("push")
    return ann.clone(tmp_path / "bob")


def cut(pack: Path) -> None:
    whole = pack.read_bytes()
    pack.chmod(0o600)
    pack.write_bytes(whole[: len(whole) * 2 // 3])


def test_nothing_truncated_is_pulled_and_the_next_push_repairs_it(
    ann: Clone, bob: Clone, remote: Path, tmp_path: Path
) -> None:
    shutil.copytree(remote, tmp_path / "right")
    for pack in packs(remote):
        cut(pack)
        carl = Clone(tmp_path / f"carl-{pack.name}")
        shutil.copytree(bob.root, carl.root, symlinks=True)
        done = run_in(carl.root, ["dvtool", "pull"], b"", {})
        stand = contents(carl.root / "data") if (carl.root / "data").exists() else {}
        assert all(DATA["data"][name] == data for name, data in stand.items())
        # What was wanted may all lie before the cut.
        assert done.code in (3, 4) or stand == DATA["data"], done
        assert_sound(carl)
        assert "up to date" not in ann.run("push").out
        carl.run("pull")
        carl.assert_data(DATA["data"])
        shutil.rmtree(remote)
        shutil.copytree(tmp_path / "right", remote)

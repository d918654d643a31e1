"""An interrupted pull left a truncated file in the cache; later `pull` and `status` said that all is well."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.clones import Clone
from tests.e2e.story import noise
from tests.faults.injector import KILL
from tests.faults.injector import NONE
from tests.faults.injector import TORN
from tests.faults.injector import Fault
from tests.faults.injector import Injector
from tests.stories.support import assert_sound
from tests.stories.support import contents

pytestmark = [pytest.mark.e2e, pytest.mark.crash]

DATA = {"audio": {"speech.wav": noise("speech", 5_000_000), "short.wav": noise("short", 200_000), "notes": b"notes"}}
POINTS = 6


@pytest.mark.parametrize("fault", [KILL, TORN], ids=lambda fault: str(fault.name))
def test_what_is_there_is_whole_and_the_next_pull_brings_the_rest(
    ann: Clone, tmp_path: Path, injector: Injector, fault: Fault
) -> None:
    ann.create(DATA)
    ann.run("add", "audio")
    ann.commit()
    ann.run("push")
    original = ann.clone(tmp_path / "original")
    bob = Clone(tmp_path / "bob")
    shutil.copytree(original.root, bob.root, symlinks=True)
    calls = injector.run(("pull",), bob.root, below=tmp_path, fault=fault._replace(mode=NONE.mode)).count
    assert calls > POINTS
    for at in range(1, calls + 1, calls // POINTS):
        shutil.rmtree(bob.root)
        shutil.copytree(original.root, bob.root, symlinks=True)
        ended = injector.run(("pull",), bob.root, below=tmp_path, fault=fault, at=at)
        assert ended.code < 0, ended
        stand = contents(bob.root / "audio") if (bob.root / "audio").exists() else {}
        assert {name for name, data in stand.items() if DATA["audio"].get(name) != data} <= temporaries(stand)
        assert_sound(bob)
        bob.run("pull")
        bob.assert_data(DATA["audio"], "audio")
        bob.assert_clean()
        assert_sound(bob, whole=True)


def temporaries(names: dict[str, bytes]) -> set[str]:
    return {name for name in names if name.startswith(".dvtool-")}

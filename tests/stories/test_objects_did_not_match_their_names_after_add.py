"""17 of 11,880 objects of the cache did not match their own names after `add`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.clones import Clone
from tests.e2e.clones import run_in
from tests.stories.support import assert_sound
from tests.support.trees import create_tree

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# Rewrites files in place, in blocks of one letter, until standard input closes.
_WRITER = """
import itertools, os, select, sys
paths = sys.argv[1:]
for turn in itertools.count():
    path = paths[turn % len(paths)]
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        file.write(bytes([65 + turn % 26]) * size)
    if select.select([sys.stdin], [], [], 0)[0]:
        break
"""


def test_files_that_are_written_while_they_are_read_never_get_a_wrong_name(ann: Clone) -> None:
    create_tree(ann.root / "data", {f"{number}": b"." * (2_000 if number % 4 else 400_000) for number in range(40)})
    paths = [str(path) for path in (ann.root / "data").iterdir()]
    with subprocess.Popen([sys.executable, "-c", _WRITER, *paths], stdin=subprocess.PIPE) as writer:
        ended = [run_in(ann.root, ["dvtool", "add", "data"], b"", {}) for _ in range(4)]
        assert writer.stdin is not None
        writer.stdin.close()
    assert all(done.code == 0 or "changed while" in done.err for done in ended), ended
    assert_sound(ann)
    last = {path: Path(path).read_bytes() for path in paths}
    ann.run("add", "data")
    assert_sound(ann, whole=True)
    for path in paths:
        Path(path).unlink()
    ann.run("checkout", "data")
    assert {path: Path(path).read_bytes() for path in paths} == last

"""`add` failed with EPERM half way; one of the two files had vanished."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.clones import Clone
from tests.e2e.story import noise
from tests.faults.injector import READ_ONLY
from tests.faults.injector import Injector
from tests.stories.support import contents

pytestmark = [pytest.mark.e2e, pytest.mark.crash]

DATA = {"one.bin": noise("one", 200_000), "two.bin": noise("two", 200_000)}


def test_a_cache_that_may_not_be_written(ann: Clone, small_disk: Path) -> None:
    ann.run("cache", "dir", small_disk)
    ann.create(DATA)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = ann.run("add", "one.bin", "two.bin", code=7)
    assert "read-only" in (done.error + done.hint).lower()
    assert {name: (ann.root / name).read_bytes() for name in DATA} == DATA
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    ann.run("add", "one.bin", "two.bin")


@pytest.mark.parametrize("link", ["copy", "hardlink", "symlink"])
def test_whatever_call_is_the_first_to_be_refused(ann: Clone, injector: Injector, tmp_path: Path, link: str) -> None:
    ann.run("config", "cache.type", link)
    ann.create(DATA)
    argv = ("add", "one.bin", "two.bin")
    at, ended = 1, -1
    while ended:
        ended = injector.run(argv, ann.root, below=tmp_path, fault=READ_ONLY, at=at).code
        assert {name: (ann.root / name).read_bytes() for name in DATA} == DATA
        at += 7
    assert at > 7
    ann.run("status", "--exit-code", code=1)
    ann.commit()
    ann.assert_clean()
    assert contents(ann.cache / "objects")

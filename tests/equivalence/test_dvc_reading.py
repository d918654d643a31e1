"""What DVC itself writes is read as the tests' own repositories of DVC are. With ``DVTOOL_TEST_DVC`` only."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.dvcrepo import DvcRepo

DVC = os.environ.get("DVTOOL_TEST_DVC")
DATA = {"a.csv": b"a\r\n1\r\n", "deep/b.bin": b"\0b", "z.txt": b"z\n"}

pytestmark = pytest.mark.skipif(DVC is None, reason="DVTOOL_TEST_DVC names no Python with DVC")


class RealDvc:
    def __init__(self, repo: DvcRepo, tmp_path: Path) -> None:
        self.repo = repo
        places = ("DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR", "DVC_SITE_CACHE_DIR")
        self.environ = {**os.environ, "DVC_NO_ANALYTICS": "1", **{name: str(tmp_path / name) for name in places}}

    def __call__(self, *argv: str) -> None:
        assert DVC is not None
        command = [DVC, "-m", "dvc", *argv]
        subprocess.run(command, cwd=self.repo.at, env=self.environ, check=True, capture_output=True, timeout=120)


@pytest.fixture
def repo(tmp_path: Path) -> DvcRepo:
    made = DvcRepo(tmp_path / "repo")
    made.add("data", DATA)
    made.add("one.bin", b"one")
    made.commit("one")
    return made


def test_the_repositories_of_the_tests_are_as_dvc_writes_them(repo: DvcRepo, tmp_path: Path) -> None:
    dvc = RealDvc(repo, tmp_path)
    written = {name: (repo.at / name).read_bytes() for name in ("data.dvc", "one.bin.dvc")}
    objects = {path.relative_to(repo.cache) for path in repo.cache.rglob("*") if path.is_file()}
    shutil.rmtree(repo.cache)
    for name in written:
        (repo.at / name).unlink()
    dvc("add", "data", "one.bin")
    assert {name: (repo.at / name).read_bytes() for name in written} == written
    assert {path.relative_to(repo.cache) for path in repo.cache.rglob("*") if path.is_file()} == objects


@pytest.mark.parametrize("link", ["copy", "hardlink", "symlink"])
def test_what_dvc_has_placed_is_up_to_date(repo: DvcRepo, tmp_path: Path, link: str) -> None:
    dvc = RealDvc(repo, tmp_path)
    dvc("config", "cache.type", link)
    shutil.rmtree(repo.at / "data")
    dvc("checkout", "--relink")
    dvc("push")
    repo.commit("settings")
    assert "Up to date" in repo.cli.done("status")
    assert "nothing to do" in repo.cli.done("checkout")
    clone = repo.clone()
    clone.cli.done("pull")
    assert clone.files("data") == DATA
    assert "Up to date" in clone.cli.done("status")

"""A cache on another file system, and one that is mounted read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.crash.processes import whole
from tests.faults.world import content
from tests.faults.world import read_files
from tests.support.cli import CommandLine
from tests.support.datarepo import DataRepo
from tests.support.trees import Node

MEMORY = Path("/dev/shm")
LARGE = 200 << 10
DATA: dict[str, Node] = {"a.txt": "a\n", "below": {"b.txt": "b\n"}, "large.bin": content("large", LARGE)}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A directory on another file system than *tmp_path*."""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK):
        pytest.skip(f"no {MEMORY} here")
    if MEMORY.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip(f"the temporary files lie on the file system of {MEMORY}")
    place = Path(tempfile.mkdtemp(prefix="dvtool-", dir=MEMORY))
    yield place
    shutil.rmtree(place)


@contextmanager
def read_only(place: Path) -> Iterator[None]:
    """Mounted read-only by a bind mount of its own."""
    bound = subprocess.run(["mount", "--bind", place, place], check=False, capture_output=True)
    if bound.returncode != 0:
        pytest.skip("nothing can be mounted here: it takes root and the right to mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True)
        assert not os.access(place, os.W_OK)
        yield
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("links", ["", "reflink", "hardlink", "symlink", "hardlink,symlink"])
def test_a_cache_on_another_file_system(tmp_path: Path, elsewhere: Path, links: str) -> None:
    repo = DataRepo(tmp_path / "repo")
    repo.cli.done("config", "--local", "cache.dir", str(elsewhere / "cache"))
    if links:
        repo.cli.done("config", "cache.type", links)
    repo.write({"data": DATA})
    wanted = read_files(repo.at / "data")
    ran = repo.cli("add", "data")
    assert ran.code == 0, ran
    whole(elsewhere / "cache", repo.at / "data.dvt")
    shutil.rmtree(repo.at / "data")
    ran = repo.cli("checkout")
    assert ran.code == 0, ran
    assert {path.name: path.read_bytes() for path in (repo.at / "data").rglob("*") if path.is_file()} == {
        "a.txt": b"a\n",
        "b.txt": b"b\n",
        "large.bin": content("large", LARGE),
    }
    large = repo.at / "data/large.bin"
    assert large.is_symlink() is ("symlink" in links)
    assert large.stat().st_nlink == 1
    assert ran.out.count("\n") == 1, ran
    assert "by symlink" in ran.out if "symlink" in links else "by copy" in ran.out
    assert repo.json("status")["workspace"] == []
    if "symlink" not in links:
        assert read_files(repo.at / "data") == wanted
        large.unlink()
        large.write_bytes(b"mine")
        assert repo.cli("checkout").code == 1
        repo.cli.done("checkout", "--force")
        assert read_files(repo.at / "data") == wanted


def prepared(tmp_path: Path) -> tuple[DataRepo, Path]:
    repo = DataRepo(tmp_path / "repo")
    cache = tmp_path / "cache"
    (tmp_path / "remote").mkdir()
    repo.cli.done("config", "--local", "cache.dir", str(cache))
    repo.cli.done("remote", "add", "-d", "store", str(tmp_path / "remote"))
    repo.write({"data": DATA})
    repo.add("data")
    repo.commit("data")
    repo.cli.done("push")
    return repo, cache


def another_clone(repo: DataRepo, place: Path, cache: Path) -> DataRepo:
    subprocess.run(["git", "clone", "-q", str(repo.at), str(place)], check=True)
    clone = DataRepo(place, CommandLine(place))
    clone.cli.done("config", "--local", "cache.dir", str(cache))
    return clone


@pytest.mark.parametrize("lock_file", [True, False], ids=["with its lock file", "without"])
def test_what_a_read_only_cache_has_can_be_had(tmp_path: Path, lock_file: bool) -> None:
    repo, cache = prepared(tmp_path)
    clone = another_clone(repo, tmp_path / "clone", cache)
    if not lock_file:
        (cache / "lock").unlink()
    with read_only(cache):
        for argv in (
            ("status",),
            ("checkout",),
            ("pull",),
            ("fetch",),
            ("status",),
            ("diff",),
            ("list", "."),
            ("push",),
        ):
            ran = clone.cli(*argv)
            assert ran.code == 0, (argv, ran)
        assert read_files(clone.at / "data") == read_files(repo.at / "data")
        shutil.rmtree(clone.at / "data")
        clone.cli.done("pull")
        assert read_files(clone.at / "data") == read_files(repo.at / "data")


@pytest.mark.parametrize("kind", ["add", "pull", "force"])
def test_what_would_have_to_be_stored_there_is_one_clear_line(tmp_path: Path, kind: str) -> None:
    repo, cache = prepared(tmp_path)
    if kind == "pull":
        shutil.rmtree(cache)
        cache.mkdir()
    clone = another_clone(repo, tmp_path / "clone", cache)
    if kind != "pull":
        clone.cli.done("checkout")
        (clone.at / "data/a.txt").unlink()
        clone.write({"data": {"a.txt": "mine\n"}})
    before = {path: path.read_bytes() for path in clone.at.glob("*.dvt")}
    argv = {"add": ("add", "data"), "pull": ("pull",), "force": ("checkout", "--force")}[kind]
    with read_only(cache):
        ran = clone.cli(*argv)
    assert ran.code == 7, ran
    errors = [line for line in ran.err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert str(cache) in ran.err
    assert "Read-only file system" in ran.err
    assert "hint: " in ran.err
    assert "Traceback" not in ran.err
    assert {path: path.read_bytes() for path in clone.at.glob("*.dvt")} == before
    if kind != "pull":
        assert (clone.at / "data/a.txt").read_text() == "mine\n"

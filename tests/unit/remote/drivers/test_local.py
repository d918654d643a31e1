from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dvtool.errors import AccessDenied
from dvtool.errors import StorageError
from dvtool.remote.drivers.local import LocalRemote

KILLED_UPLOAD = """
import os, sys
from dvtool.remote.drivers import local
local.fsync_file = lambda fd: os._exit(9)
local.LocalRemote("nas", os.fsencode(sys.argv[1])).put_file("data/ab/k", os.fsencode(sys.argv[2]))
"""


def keys(remote: LocalRemote) -> list[str]:
    return [item.key for item in remote.list("")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "remote").mkdir()
    return tmp_path / "remote"


@pytest.fixture
def remote(root: Path) -> LocalRemote:
    return LocalRemote("nas", os.fsencode(root))


def test_a_directory_that_is_gone_is_never_empty(remote: LocalRemote, root: Path, tmp_path: Path) -> None:
    root.rmdir()
    for use in (
        lambda: list(remote.list("")),
        lambda: list(remote.list("data/")),
        lambda: remote.stat("k"),
        lambda: remote.get("k"),
        lambda: remote.get_file("k", bytes(tmp_path / "back"), 1),
        lambda: remote.delete("k"),
    ):
        with pytest.raises(StorageError, match="is it mounted"):
            use()


def test_a_file_in_place_of_the_directory_is_told(remote: LocalRemote, root: Path) -> None:
    root.rmdir()
    root.write_bytes(b"")
    with pytest.raises(StorageError):
        list(remote.list(""))
    with pytest.raises(StorageError):
        remote.put("k", b"x")


def test_the_first_write_creates_the_directory_but_not_its_parents(tmp_path: Path) -> None:
    for name, hint in (("new", "make it with the first `dvtool push`"), ("mnt/share/new", "create it with mkdir")):
        with pytest.raises(StorageError, match="is it mounted") as caught:
            LocalRemote("nas", os.fsencode(tmp_path / name)).get("k")
        assert hint in (caught.value.hint or "")
    LocalRemote("nas", os.fsencode(tmp_path / "new")).put("data/ab/k", b"x")
    assert (tmp_path / "new/data/ab/k").read_bytes() == b"x"
    with pytest.raises(StorageError, match="is it mounted"):
        LocalRemote("nas", os.fsencode(tmp_path / "mnt/share/new")).put("k", b"x")
    assert not (tmp_path / "mnt").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_without_permission(remote: LocalRemote, root: Path) -> None:
    root.chmod(0o500)
    with pytest.raises(AccessDenied, match=str(root)):
        remote.put("k", b"x")


def test_unfinished_and_foreign_files_are_not_listed(remote: LocalRemote, root: Path) -> None:
    remote.put("data/ab/k", b"x")
    (root / "tmp/left-behind").write_bytes(b"partial")
    (root / "data/ab/.nfs0001").write_bytes(b"")
    (root / "data/with space").write_bytes(b"")
    os.mkfifo(root / "data/fifo")
    assert keys(remote) == ["data/ab/k"]


def test_links_are_not_followed(remote: LocalRemote, root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_bytes(b"secret")
    (root / "data").symlink_to(tmp_path / "outside")
    (root / "link").symlink_to(tmp_path / "outside/secret")
    assert keys(remote) == []
    with pytest.raises(StorageError):
        remote.get("link")
    with pytest.raises(StorageError):
        remote.stat("link")


def test_nothing_temporary_is_left(remote: LocalRemote, root: Path, tmp_path: Path) -> None:
    remote.put("k", b"x")
    assert not remote.put("k", b"y", create_only=True)
    with pytest.raises(StorageError):
        remote.put_file("l", bytes(tmp_path / "no such file"))
    assert list((root / "tmp").iterdir()) == []


def test_a_killed_upload_leaves_no_key(remote: LocalRemote, root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(1 << 20))
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            KILLED_UPLOAD,
            str(root),
            str(tmp_path / "file"),
        ],
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert killed.returncode == 9
    assert keys(remote) == []
    assert remote.stat("data/ab/k") is None
    remote.put_file("data/ab/k", bytes(tmp_path / "file"))
    assert keys(remote) == ["data/ab/k"]


def _race(root: bytes, number: int, results: multiprocessing.Queue[bool]) -> None:
    results.put(LocalRemote("nas", root).put("store", b"%d" % number, create_only=True))


def test_one_of_many_processes_creates(root: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[bool] = context.Queue()
    processes = [context.Process(target=_race, args=(os.fsencode(root), number, results)) for number in range(4)]
    for process in processes:
        process.start()
    won = [results.get() for _ in processes]
    for process in processes:
        process.join()
    assert won.count(True) == 1


def test_keys_lie_where_the_format_says(remote: LocalRemote, root: Path) -> None:
    remote.put("index/abc", b"x")
    assert (root / "index/abc").read_bytes() == b"x"

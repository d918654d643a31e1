from __future__ import annotations

import errno
import os
import socket
import threading
from pathlib import Path
from typing import NoReturn

import pytest

from dvtool.disk import _native
from dvtool.disk import beneath
from dvtool.errors import UnsafeInput


@pytest.fixture(params=["in the kernel", "by component", "sandboxed"])
def resolution(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    number = {"by component": errno.ENOSYS, "sandboxed": errno.EPERM}.get(request.param)

    def absent(*_: object) -> NoReturn:
        assert number is not None
        raise OSError(number, os.strerror(number))

    if number is not None:
        monkeypatch.setattr(_native, "openat2", absent)
    return str(request.param)


def is_same(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    finally:
        os.close(fd)


def test_opens_and_creates_directories(tmp_path: Path, here_fd: int, resolution: str) -> None:
    with pytest.raises(FileNotFoundError):
        beneath.open_dir(here_fd, b"a/b/c")
    assert is_same(beneath.open_dir(here_fd, b"a/b/c", create=True), tmp_path / "a/b/c")
    assert is_same(beneath.open_dir(here_fd, b"a/b/d", create=True), tmp_path / "a/b/d")
    assert is_same(beneath.open_dir(here_fd, b"a/b"), tmp_path / "a/b")
    assert is_same(beneath.open_dir(here_fd, b""), tmp_path)
    os.fstat(here_fd)


@pytest.mark.parametrize("path", [b"../x", b"a/../../x", b"..", b"/etc", b"a//b", b"a/", b".", b"a/./b", b"a\0b"])
def test_paths_that_are_not_plain_are_refused(here_fd: int, resolution: str, path: bytes) -> None:
    with pytest.raises(UnsafeInput):
        beneath.open_dir(here_fd, path, create=True)
    assert os.listdir(here_fd) == []


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize(("path", "link"), [(b"a/l", "a/l"), (b"a/l/c", "a/l"), (b"a/l/c/d", "a/l")])
@pytest.mark.parametrize("leads_to", ["outside", "inside", "nowhere"])
def test_link_in_the_way_is_refused_by_name(
    tmp_path: Path, resolution: str, path: bytes, link: str, create: bool, leads_to: str
) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for directory in (root / "a", root / "inside", outside):
        directory.mkdir(parents=True)
    (root / "a/l").symlink_to({"outside": str(outside), "inside": "../inside", "nowhere": "nothing"}[leads_to])
    fd = beneath.open_root(os.fsencode(root))
    try:
        with pytest.raises(UnsafeInput, match="symbolic link") as caught:
            beneath.open_dir(fd, path, create=create)
    finally:
        os.close(fd)
    assert caught.value.path == link
    assert os.listdir(outside) == os.listdir(root / "inside") == []


def test_file_in_the_way_is_an_ordinary_error(tmp_path: Path, here_fd: int, resolution: str) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(NotADirectoryError):
        beneath.open_dir(here_fd, b"f/x", create=True)


def test_path_longer_than_the_kernel_takes(here_fd: int) -> None:
    deep = b"/".join([b"d" * 200] * 30)
    os.close(beneath.open_dir(here_fd, deep, create=True))
    os.close(beneath.open_dir(here_fd, deep))


def test_no_descriptor_is_left_open(tmp_path: Path, here_fd: int, resolution: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/l").symlink_to("..")
    before = os.listdir("/dev/fd")
    os.close(beneath.open_dir(here_fd, b"a/b/c", create=True))
    with pytest.raises(UnsafeInput):
        beneath.open_dir(here_fd, b"a/l/x", create=True)
    assert os.listdir("/dev/fd") == before


def test_opens_regular_files_only(tmp_path: Path, here_fd: int) -> None:
    (tmp_path / "plain").write_bytes(b"bytes")
    (tmp_path / "link").symlink_to("plain")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    fd = beneath.open_file(here_fd, b"plain")
    assert os.read(fd, 10) == b"bytes"
    os.close(fd)
    for name, kind in [(b"link", "symbolic link"), (b"directory", "directory"), (b"fifo", "FIFO")]:
        with pytest.raises(UnsafeInput, match=kind) as caught:
            beneath.open_file(here_fd, name, shown=b"data/" + name)
        assert caught.value.path == "data/" + os.fsdecode(name)
    with pytest.raises(FileNotFoundError):
        beneath.open_file(here_fd, b"absent")


def test_socket_is_refused_by_kind(tmp_path: Path, here_fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        with pytest.raises(UnsafeInput, match="a socket"):
            beneath.open_file(here_fd, b"s")


def test_creates_new_files_only(tmp_path: Path, here_fd: int) -> None:
    os.close(beneath.create_file(here_fd, b"new", 0o600))
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    (tmp_path / "dangling").symlink_to("elsewhere")
    for name in (b"new", b"dangling"):
        with pytest.raises(FileExistsError):
            beneath.create_file(here_fd, name)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"a\0b"])
def test_names_that_are_not_plain_are_refused(here_fd: int, name: bytes) -> None:
    with pytest.raises(UnsafeInput):
        beneath.create_file(here_fd, name)
    with pytest.raises(UnsafeInput):
        beneath.open_file(here_fd, name)


def test_directory_swapped_for_a_link_never_lets_a_write_escape(tmp_path: Path, resolution: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "a/b").mkdir(parents=True)
    outside.mkdir()
    (outside / "b").mkdir()
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            os.rename(root / "a", root / "kept")
            os.symlink(outside, root / "a")
            os.unlink(root / "a")
            os.rename(root / "kept", root / "a")

    swapper = threading.Thread(target=swap)
    swapper.start()
    fd = beneath.open_root(os.fsencode(root))
    refused = written = 0
    try:
        for number in range(500):
            try:
                directory = beneath.open_dir(fd, b"a/b")
            except (UnsafeInput, FileNotFoundError):
                refused += 1
                continue
            os.close(beneath.create_file(directory, b"%d" % number))
            os.close(directory)
            written += 1
    finally:
        stop.set()
        swapper.join()
        os.close(fd)
    assert refused + written == 500
    assert os.listdir(outside) == ["b"]
    assert os.listdir(outside / "b") == []
    assert len(os.listdir(root / "a/b")) == written

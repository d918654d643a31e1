from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from typing import NoReturn

import pytest

from dvtool.disk import clone
from dvtool.disk.space import supports_reflink

REFLINK_DIR = os.environ.get("DVTOOL_TEST_REFLINK_DIR")


def failing(number: int) -> Any:
    def call(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return call


@pytest.fixture
def sharing(tmp_path: Path) -> Iterator[Path]:
    """A directory in which files can share blocks."""
    place = Path(mkdtemp(dir=REFLINK_DIR)) if REFLINK_DIR else tmp_path
    if not supports_reflink(os.fsencode(place)):
        pytest.skip("no reflinks here: set DVTOOL_TEST_REFLINK_DIR to a directory on XFS or Btrfs")
    yield place
    if REFLINK_DIR:
        for file in place.iterdir():
            file.unlink()
        place.rmdir()


def test_reflink_copies_what_stands_there(sharing: Path) -> None:
    (sharing / "a").write_bytes(b"x" * 100_000)
    with (sharing / "a").open("rb") as source, (sharing / "b").open("wb") as target:
        assert clone.reflink(source.fileno(), target.fileno())
    (sharing / "a").write_bytes(b"changed")
    assert (sharing / "b").read_bytes() == b"x" * 100_000


def test_clone_path_makes_a_new_file(sharing: Path) -> None:
    (sharing / "a").write_bytes(b"x" * 5000)
    assert clone.clone_path(os.fsencode(sharing / "a"), os.fsencode(sharing / "b"))
    assert (sharing / "b").read_bytes() == b"x" * 5000
    with pytest.raises(FileExistsError):
        clone.clone_path(os.fsencode(sharing / "a"), os.fsencode(sharing / "b"))
    assert (sharing / "b").read_bytes() == b"x" * 5000


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY])
def test_without_reflinks_nothing_is_left(
    tmp_path: Path, here: bytes, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (tmp_path / "a").write_bytes(b"x")
    monkeypatch.setattr(clone, "_ficlone", failing(number))
    assert not clone.clone_path(os.path.join(here, b"a"), os.path.join(here, b"b"))
    assert os.listdir(tmp_path) == ["a"]


def test_full_disk_is_not_taken_for_missing_support(
    tmp_path: Path, here: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"x")
    monkeypatch.setattr(clone, "_ficlone", failing(errno.ENOSPC))
    with pytest.raises(OSError) as caught:
        clone.clone_path(os.path.join(here, b"a"), os.path.join(here, b"b"))
    assert caught.value.errno == errno.ENOSPC
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 64, 65])
@pytest.mark.parametrize("length", [0, 8, 64])
def test_copy_stops_at_its_length_or_the_end(tmp_path: Path, size: int, length: int) -> None:
    data = bytes(range(size))
    (tmp_path / "a").write_bytes(data)
    seen = bytearray()
    with (tmp_path / "a").open("rb") as source, (tmp_path / "b").open("wb") as target:
        copied = clone.copy_range(source.fileno(), target.fileno(), length, seen.extend, block=8)
    assert copied == min(size, length)
    assert (tmp_path / "b").read_bytes() == seen == data[:length]


@pytest.mark.parametrize("size", [0, 1, 8, 9, 100])
def test_read_shows_every_byte_once(tmp_path: Path, size: int) -> None:
    (tmp_path / "a").write_bytes(bytes(range(size)))
    seen = bytearray()
    with (tmp_path / "a").open("rb") as source:
        assert clone.read_blocks(source.fileno(), seen.extend, block=8) == size
    assert seen == bytes(range(size))


def test_hardlink_into_an_opened_directory(tmp_path: Path, here: bytes, here_fd: int) -> None:
    (tmp_path / "a").write_bytes(b"x")
    assert clone.hardlink(os.path.join(here, b"a"), b"b", target_dir_fd=here_fd)
    assert (tmp_path / "b").samefile(tmp_path / "a")
    with pytest.raises(FileExistsError):
        clone.hardlink(os.path.join(here, b"a"), b"b", target_dir_fd=here_fd)


def test_hardlink_names_the_link_itself(tmp_path: Path, here: bytes) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    assert clone.hardlink(os.path.join(here, b"link"), os.path.join(here, b"second"))
    assert os.readlink(tmp_path / "second") == "nowhere"


@pytest.mark.parametrize("number", [errno.EMLINK, errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP])
def test_impossible_links_are_told_not_raised(here: bytes, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(os, "link", failing(number))
    monkeypatch.setattr(os, "symlink", failing(number))
    assert not clone.hardlink(os.path.join(here, b"a"), os.path.join(here, b"b"))
    assert not clone.symlink(b"a", os.path.join(here, b"b"))


def test_symlink_in_an_opened_directory(tmp_path: Path, here_fd: int) -> None:
    assert clone.symlink(b"some\xff where", b"link", dir_fd=here_fd)
    assert os.readlink(os.fsencode(tmp_path / "link")) == b"some\xff where"

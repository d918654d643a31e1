from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any
from typing import NoReturn

import pytest

from dvtool.disk import _native
from dvtool.disk import durable


def failing(number: int) -> Any:
    def call(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize("is_durable", [True, False])
def test_write_replaces_whole_file_and_leaves_nothing_else(tmp_path: Path, here: bytes, is_durable: bool) -> None:
    target = tmp_path / "config"
    target.write_bytes(b"a longer old text")
    durable.write_file(os.path.join(here, b"config"), b"new", durable=is_durable)
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["config"]


def test_mode_is_set_whatever_the_umask(tmp_path: Path, here: bytes) -> None:
    before = os.umask(0o077)
    try:
        durable.write_file(os.path.join(here, b"a"), b"", mode=0o664)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o664


def test_name_of_255_bytes_can_be_written(tmp_path: Path, here: bytes) -> None:
    name = b"\xff" + b"n" * 254
    durable.write_file(os.path.join(here, name), b"x")
    assert os.listdir(here) == [name]


def test_relative_name_and_opened_directory(tmp_path: Path, here_fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    durable.write_file(b"relative", b"1")
    monkeypatch.chdir("/")
    durable.write_file(b"opened", b"2", dir_fd=here_fd)
    assert (tmp_path / "relative").read_bytes() == b"1"
    assert (tmp_path / "opened").read_bytes() == b"2"


def test_link_at_target_is_replaced_not_followed(tmp_path: Path, here: bytes) -> None:
    (tmp_path / "victim").write_bytes(b"untouched")
    (tmp_path / "link").symlink_to("victim")
    durable.write_file(os.path.join(here, b"link"), b"new")
    assert (tmp_path / "victim").read_bytes() == b"untouched"
    assert not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("call", ["write", "fchmod", "fsync", "rename"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_failure_of_any_step_keeps_the_old_file(
    tmp_path: Path, here: bytes, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, failing(number))
        with pytest.raises(OSError) as caught:
            durable.write_file(os.path.join(here, b"a"), b"new")
    assert caught.value.errno == number
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_interrupt_keeps_the_old_file(tmp_path: Path, here: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    (tmp_path / "a").write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            durable.write_file(os.path.join(here, b"a"), b"new")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"]


def test_short_writes_are_continued(tmp_path: Path, here: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:3]))
    durable.write_file(os.path.join(here, b"a"), b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_a_file_shorter_than_its_data_is_an_error(tmp_path: Path, here: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda fd, data: len(data))
    with pytest.raises(OSError, match="0 bytes in the file after writing 3"):
        durable.write_file(os.path.join(here, b"a"), b"abc")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("is_durable", "synced"), [(True, ["file", "directory"]), (False, [])])
def test_what_is_synced_and_in_which_order(
    here: bytes, monkeypatch: pytest.MonkeyPatch, is_durable: bool, synced: list[str]
) -> None:
    seen: list[str] = []
    real = os.fsync

    def watched(fd: int) -> None:
        seen.append("directory" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        real(fd)

    monkeypatch.setattr(os, "fsync", watched)
    durable.write_file(os.path.join(here, b"a"), b"x", durable=is_durable)
    assert seen == synced


def test_directory_that_cannot_be_synced_is_accepted(here: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    durable.fsync_dir(here)


def test_directory_whose_sync_fails_is_an_error(here: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError):
        durable.fsync_dir(here)


def test_create_only_creates_once(tmp_path: Path, here: bytes) -> None:
    path = os.path.join(here, b"a")
    assert durable.create_only(path, b"first", mode=0o444)
    assert not durable.create_only(path, b"second")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o444
    assert os.listdir(tmp_path) == ["a"]


@pytest.fixture(params=["link", "rename_noreplace", "look and rename"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Publish on file systems that can do less and less."""
    if request.param != "link":
        monkeypatch.setattr(os, "link", failing(errno.EPERM))
    if request.param == "look and rename":
        monkeypatch.setattr(_native, "renameat2", failing(errno.ENOSYS))
    return str(request.param)


def temporary_with(here: bytes, data: bytes) -> bytes:
    fd, tmp = durable.open_temporary(here)
    durable.write_all(fd, data)
    os.close(fd)
    return tmp


def test_publish_gives_the_name_once(tmp_path: Path, here: bytes, way: str) -> None:
    final = os.path.join(here, b"object")
    assert durable.publish(temporary_with(here, b"one"), final)
    assert not durable.publish(temporary_with(here, b"two"), final)
    assert (tmp_path / "object").read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["object"]
    assert (tmp_path / "object").stat().st_nlink == 1


def test_publish_whose_success_was_reported_as_exists(
    tmp_path: Path, here: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def link_with_lost_reply(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        raise FileExistsError(errno.EEXIST, "")

    monkeypatch.setattr(os, "link", link_with_lost_reply)
    assert durable.publish(temporary_with(here, b"one"), os.path.join(here, b"object"))
    assert os.listdir(tmp_path) == ["object"]


def test_publish_that_fails_drops_the_temporary(here: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp = temporary_with(here, b"one")
    monkeypatch.setattr(os, "link", failing(errno.ENOSPC))
    with pytest.raises(OSError):
        durable.publish(tmp, os.path.join(here, b"object"))
    assert os.listdir(here) == []


def test_temporary_names_are_short_and_fresh(here: bytes) -> None:
    names = {durable.temporary_name() for _ in range(100)}
    assert len(names) == 100
    assert all(len(name) == 28 and name.startswith(durable.TEMPORARY_PREFIX) for name in names)

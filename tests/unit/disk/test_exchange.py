from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from dvtool.disk import _native
from dvtool.disk import exchange


def test_two_names_change_places(tmp_path: Path, here_fd: int) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").symlink_to("target")
    exchange.exchange(here_fd, b"a", b"b")
    assert (tmp_path / "b").read_bytes() == b"1"
    assert os.readlink(tmp_path / "a") == "target"


def test_exchange_with_nothing_is_an_error(tmp_path: Path, here_fd: int) -> None:
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(FileNotFoundError):
        exchange.exchange(here_fd, b"a", b"b")


def test_rename_that_does_not_replace(tmp_path: Path, here: bytes, here_fd: int) -> None:
    (tmp_path / "a").write_bytes(b"1")
    exchange.rename_noreplace(here_fd, b"a", b"b")
    (tmp_path / "a").write_bytes(b"2")
    with pytest.raises(FileExistsError):
        exchange.rename_noreplace(None, os.path.join(here, b"a"), os.path.join(here, b"b"))
    assert (tmp_path / "a").read_bytes() == b"2"
    assert (tmp_path / "b").read_bytes() == b"1"


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP])
def test_missing_call_is_told_apart_from_faults(here_fd: int, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def absent(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(_native, "renameat2", absent)
    with pytest.raises(exchange.NotSupported):
        exchange.exchange(here_fd, b"a", b"b")
    with pytest.raises(exchange.NotSupported):
        exchange.rename_noreplace(here_fd, b"a", b"b")


def test_name_with_nul_is_not_cut_short(tmp_path: Path, here_fd: int) -> None:
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(ValueError, match="null"):
        exchange.rename_noreplace(here_fd, b"a", b"b\0c")
    assert os.listdir(tmp_path) == ["a"]

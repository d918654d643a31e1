"""What is asked of the system while a large file is written."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from dvtool.disk import _native
from dvtool.disk import writeback
from dvtool.disk.writeback import Writeback

_MIB = 1 << 20


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(writeback, "sync_file_range", lambda fd, offset, length: calls.append((offset, length)))
    return calls


def test_each_range_is_asked_for_once_and_the_rest_is_left_to_the_sync(asked: list[tuple[int, int]]) -> None:
    work = Writeback(3, 5)
    for _ in range(100):
        work.wrote(_MIB)
    assert asked == [(5, 32 * _MIB), (5 + 32 * _MIB, 32 * _MIB), (5 + 64 * _MIB, 32 * _MIB)]


def test_small_files_cost_no_call(asked: list[tuple[int, int]]) -> None:
    Writeback(3).wrote(31 * _MIB)
    assert asked == []


@pytest.mark.parametrize("error", [OSError(errno.ENOSYS, "no"), AttributeError("no")], ids=["kernel", "library"])
def test_where_the_call_is_missing_nothing_happens(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(fd: int, offset: int, length: int) -> None:
        raise error

    monkeypatch.setattr(writeback, "sync_file_range", fail)
    Writeback(3).wrote(64 * _MIB)


@pytest.mark.skipif(sys.platform != "linux", reason="a call of Linux")
def test_the_call_itself(tmp_path: Path) -> None:
    with (tmp_path / "f").open("wb") as file:
        file.write(b"x" * 8192)
        file.flush()
        _native.sync_file_range(file.fileno(), 4096, 4096)
    with pytest.raises(OSError) as failed:
        _native.sync_file_range(10_000, 0, 1)
    assert failed.value.errno == errno.EBADF
    assert os.path.getsize(tmp_path / "f") == 8192

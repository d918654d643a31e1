from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.disk import signature
from dvtool.disk.signature import FileSystemClock
from dvtool.disk.signature import Moment
from dvtool.disk.signature import StatSignature
from dvtool.disk.signature import signature_of

SECOND = 1_000_000_000


def sign(path: Path) -> StatSignature:
    return signature_of(os.lstat(path))


def test_fresh_file_is_not_settled_and_probe_leaves_nothing(tmp_path: Path, here: bytes) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x")
    assert not FileSystemClock.start(here).is_settled(sign(file))
    assert os.listdir(tmp_path) == ["a"]


def test_mtime_set_back_does_not_settle(tmp_path: Path, here: bytes) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x")
    os.utime(file, ns=(SECOND, SECOND))
    assert sign(file).mtime_ns == SECOND
    assert not FileSystemClock.start(here).is_settled(sign(file))


def test_old_times_are_settled_only_both_together() -> None:
    moment = Moment(100 * SECOND)
    for mtime, ctime, settled in [(99, 99, True), (99, 100, False), (100, 99, False), (101, 101, False)]:
        assert moment.is_settled(StatSignature(1, 1, mtime * SECOND, ctime * SECOND, 0)) is settled


def test_margin_follows_the_granularity_of_the_file_system(here: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fstat

    def stamped(nanoseconds: int) -> Moment:
        class Stamped:
            st_mtime_ns = nanoseconds

        with monkeypatch.context() as patch:
            patch.setattr(os, "fstat", lambda fd: Stamped() if real(fd).st_size == 0 else real(fd))
            return FileSystemClock.start(here)

    assert stamped(100 * SECOND).horizon_ns == 98 * SECOND
    assert stamped(100 * SECOND + 1).horizon_ns == 100 * SECOND + 1 - 20_000_000


def test_nothing_is_settled_where_the_clock_cannot_be_read(here: bytes) -> None:
    moment = FileSystemClock.start(os.path.join(here, b"absent"))
    assert not moment.is_settled(StatSignature(1, 1, 1, 1, 0))


def test_every_same_size_rewrite_is_seen_by_signature_or_unsettled(tmp_path: Path, here: bytes) -> None:
    file = tmp_path / "a"
    for number in range(1000):
        file.write_bytes(b"%04d" % number)
        moment = FileSystemClock.start(here)
        before = sign(file)
        file.write_bytes(b"%04d" % (9999 - number))
        os.utime(file, ns=(before.mtime_ns, before.mtime_ns))
        assert sign(file) != before or not moment.is_settled(before)


def test_rename_moves_nothing_but_the_change_time(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"x")
    before = sign(file)
    file.rename(tmp_path / "b")
    assert before.is_same_but_ctime(sign(tmp_path / "b"))
    assert not before.is_same_but_ctime(before._replace(mode=0))
    assert not before.is_same_but_ctime(before._replace(size=2))
    assert signature.signature_of(os.lstat(tmp_path / "b")).size == 1

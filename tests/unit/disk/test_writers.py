from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path

import pytest

from dvtool.disk.writers import has_writer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


def test_descriptor_and_mapping_count_until_they_are_gone(tmp_path: Path, here_fd: int) -> None:
    (tmp_path / "a").write_bytes(b"x")
    assert not has_writer(here_fd, b"a")
    with (tmp_path / "a").open("r+b") as file:
        assert has_writer(here_fd, b"a")
        mapping = mmap.mmap(file.fileno(), 1)
    assert has_writer(here_fd, b"a")
    mapping.close()
    assert not has_writer(here_fd, b"a")


def test_reader_and_absent_file_are_no_writers(tmp_path: Path, here_fd: int) -> None:
    (tmp_path / "a").write_bytes(b"x")
    with (tmp_path / "a").open("rb"):
        assert not has_writer(here_fd, b"a")
    assert not has_writer(here_fd, b"b")


def test_no_lease_and_no_descriptor_stay_behind(tmp_path: Path, here_fd: int) -> None:
    (tmp_path / "a").write_bytes(b"x")
    before = os.listdir("/dev/fd")
    has_writer(here_fd, b"a")
    assert os.listdir("/dev/fd") == before
    (tmp_path / "a").write_bytes(b"y")

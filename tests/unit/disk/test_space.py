from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from dvtool.disk import _native
from dvtool.disk import space
from dvtool.errors import StorageError


@pytest.fixture(autouse=True)
def nothing_tried_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "_can", {})


def test_free_space_of_a_place_that_does_not_exist_yet(here: bytes) -> None:
    free = space.free_bytes(os.path.join(here, b"a/b/c"))
    assert free is not None
    assert free > 0


def test_missing_space_says_how_much_and_where(here: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "free_bytes", lambda path: 1_500_000)
    space.require_space(os.path.join(here, b"x"), 1_500_000, "store data.csv")
    with pytest.raises(StorageError) as caught:
        space.require_space(os.path.join(here, b"x"), 4_000_000_000, "store data.csv")
    assert caught.value.message == (
        f"not enough space to store data.csv: 4.0 GB needed and 1.5 MB free in {os.fsdecode(here)}, 4.0 GB missing"
    )
    assert caught.value.path == os.fsdecode(here)


def test_unknown_space_refuses_nothing(here: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        f_blocks = f_bavail = 0
        f_frsize = 4096

    monkeypatch.setattr(os, "statvfs", lambda path: Silent())
    assert space.free_bytes(here) is None
    space.require_space(here, 10**15, "store data.csv")


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2_500_000, "2.5 MB"), (10**13, "10.0 TB")],
)
def test_sizes_are_readable(count: int, text: str) -> None:
    assert space._readable(count) == text


def test_same_file_system(here: bytes) -> None:
    assert space.same_file_system(here, os.path.join(here, b"absent/place"))


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a second file system")
def test_other_file_system(here: bytes) -> None:
    assert not space.same_file_system(here, b"/proc/self")


@pytest.mark.parametrize(
    ("magic", "network"), [(0x6969, True), (0xFF534D42, True), (0x65735546, True), (0xEF53, False)]
)
def test_network_file_systems_are_known_by_number(
    here: bytes, monkeypatch: pytest.MonkeyPatch, magic: int, network: bool
) -> None:
    monkeypatch.setattr(_native, "file_system_magic", lambda path: magic)
    assert space.is_network_fs(os.path.join(here, b"absent")) is network


def test_unknown_file_system_counts_as_local(here: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(path: bytes) -> int:
        raise OSError(errno.ENOSYS, "")

    monkeypatch.setattr(_native, "file_system_magic", failing)
    assert not space.is_network_fs(here)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs procfs")
def test_number_comes_from_the_kernel() -> None:
    assert _native.file_system_magic(b"/proc/self") == 0x9FA0


def test_case_is_probed_and_nothing_left(tmp_path: Path, here: bytes) -> None:
    (tmp_path / "Probe").touch()
    assert space.is_case_insensitive(here) == (tmp_path / "pROBE").exists()
    assert os.listdir(tmp_path) == ["Probe"]


def test_case_insensitive_directory_is_recognised(here: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.lstat
    monkeypatch.setattr(
        os, "lstat", lambda path: real(os.path.join(os.path.dirname(path), os.path.basename(path).lower()))
    )
    assert space.is_case_insensitive(here)


@pytest.mark.parametrize("probe", [space.supports_hardlink, space.supports_reflink])
def test_probes_leave_nothing_and_are_made_once(here: bytes, monkeypatch: pytest.MonkeyPatch, probe: Any) -> None:
    found = probe(here)
    assert os.listdir(here) == []
    monkeypatch.setattr(space, "open_temporary", None)
    assert probe(here) is found


def test_missing_hardlinks_are_found_out(here: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "")

    monkeypatch.setattr(os, "link", failing)
    assert not space.supports_hardlink(here)

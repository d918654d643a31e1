from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.errors import StorageError
from dvtool.remote.address import Address
from dvtool.remote.drivers.local import LocalRemote
from dvtool.remote.meter import BLOCK
from dvtool.remote.meter import Meter
from dvtool.remote.metered import MeteredRemote
from dvtool.remote.table import open_remote
from tests.support.faulty import FaultyRemote


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_without_a_limit_nobody_waits() -> None:
    meter = Meter()
    assert meter.passed(10**12) == 0
    assert meter.block == BLOCK


def test_waits_add_up_to_the_rate() -> None:
    clock = Clock()
    meter = Meter(1000, clock)
    assert meter.passed(500) == 0.5
    assert meter.passed(500) == 1.0, "another thread waits for its own bytes and for those before"
    clock.sleep(10)
    assert meter.passed(100) == pytest.approx(0.1), "time without bytes is not saved up"


@pytest.mark.parametrize(("rate", "block"), [(1000, 4096), (80_000, 10_000), (10**9, BLOCK)])
def test_a_slow_line_gets_small_blocks(rate: int, block: int) -> None:
    assert Meter(rate).block == block


def test_listeners_hear_while_they_listen() -> None:
    meter = Meter()
    heard: list[int] = []
    with meter.listening(heard.append):
        meter.passed(3)
        with meter.listening(heard.append):
            meter.passed(4)
    meter.passed(5)
    assert sum(heard[:2]) <= 7
    assert heard == [3, 4, 4]


@pytest.fixture
def inner(tmp_path: Path) -> LocalRemote:
    (tmp_path / "remote").mkdir()
    return LocalRemote("origin", os.fsencode(tmp_path / "remote"))


def test_values_keep_the_rate_and_their_bytes(inner: LocalRemote, tmp_path: Path) -> None:
    clock = Clock()
    remote = MeteredRemote(inner, Meter(1 << 20, clock), pause=clock.sleep)
    value = bytes(range(256)) * (20 << 10)  # 5 MiB
    (tmp_path / "file").write_bytes(value)
    remote.put_file("data/k", bytes(tmp_path / "file"))
    assert clock.now == 55.0
    remote.get_file("data/k", bytes(tmp_path / "back"), len(value))
    assert (tmp_path / "back").read_bytes() == value
    assert clock.now == 60.0
    assert remote.get("data/k", 1 << 20, 1 << 20) == value[1 << 20 : 2 << 20]
    assert clock.now == 61.0
    remote.put("small", b"x" * (1 << 20))
    assert clock.now == 62.0


def test_under_a_limit_a_large_value_comes_in_slices(inner: LocalRemote, tmp_path: Path) -> None:
    inner.put("k", bytes(4 << 20))
    faulty = FaultyRemote(inner)
    MeteredRemote(faulty, Meter(1 << 20), pause=lambda _: None).get_file("k", bytes(tmp_path / "back"), 4 << 20)
    assert [method for method, _ in faulty.log].count("get") == 4


def test_a_wrong_length_is_told_under_a_limit_too(inner: LocalRemote, tmp_path: Path) -> None:
    inner.put("k", bytes(1000))
    remote = MeteredRemote(inner, Meter(10**6), pause=lambda _: None)
    with pytest.raises(StorageError, match="1000 bytes, expected 2000"):
        remote.get_file("k", bytes(tmp_path / "back"), 2000)


def test_closing_ends_the_waiting(inner: LocalRemote) -> None:
    remote = MeteredRemote(inner, Meter(1))
    remote.close()
    with pytest.raises(StorageError, match="closed"):
        remote.put("k", bytes(10**6))


def test_the_setting_makes_the_limit(tmp_path: Path) -> None:
    remote = open_remote(Address("o", str(tmp_path / "r"), {"bandwidth": "2M"}, b"/", {}))
    assert remote.meter.is_limited  # type: ignore[attr-defined]

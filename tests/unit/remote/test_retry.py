from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.errors import AccessDenied
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.remote.drivers.local import LocalRemote
from dvtool.remote.failures import TransientError
from dvtool.remote.retry import RetryingRemote
from tests.support.faulty import Fault
from tests.support.faulty import FaultyRemote

CUT = TransientError("cut")
ALWAYS = 10**6


class Waits:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def inner(tmp_path: Path) -> LocalRemote:
    (tmp_path / "remote").mkdir()
    remote = LocalRemote("origin", os.fsencode(tmp_path / "remote"))
    remote.put("k", b"0123456789")
    return remote


def retrying(inner: LocalRemote, *faults: Fault) -> tuple[RetryingRemote, FaultyRemote, Waits]:
    faulty, waits = FaultyRemote(inner, *faults), Waits()
    return RetryingRemote(faulty, pause=waits, jitter=lambda: 0.5), faulty, waits


def test_four_failures_are_survived_with_growing_waits(inner: LocalRemote) -> None:
    remote, faulty, waits = retrying(inner, Fault(1, "get", error=CUT, times=4))
    assert remote.get("k") == b"0123456789"
    assert len(faulty.log) == 5
    assert waits.seconds == sorted(waits.seconds)
    assert len(set(waits.seconds)) == 4


def test_the_fifth_failure_is_told(inner: LocalRemote) -> None:
    remote, faulty, _ = retrying(inner, Fault(1, error=CUT, times=ALWAYS))
    with pytest.raises(TransientError, match="cut"):
        remote.get("k")
    assert len(faulty.log) == 5


@pytest.mark.parametrize(
    "error", [StorageError("full"), AccessDenied("no"), MissingData("gone"), IntegrityError("bad")]
)
def test_what_will_not_change_is_not_tried_again(inner: LocalRemote, error: StorageError) -> None:
    remote, faulty, waits = retrying(inner, Fault(1, error=error))
    with pytest.raises(type(error)):
        remote.get("k")
    assert len(faulty.log) == 1
    assert waits.seconds == []


def test_a_remote_never_reached_is_given_up_sooner(inner: LocalRemote) -> None:
    nobody = TransientError("nobody there", unreachable=True)
    remote, faulty, _ = retrying(inner, Fault(1, error=nobody, times=2), Fault(4, error=nobody, times=4))
    with pytest.raises(TransientError):
        remote.get("k")
    assert len(faulty.log) == 2
    assert remote.get("k") == b"0123456789"
    assert remote.get("k") == b"0123456789", "once reached, it gets all five tries"


def test_the_server_may_ask_for_a_longer_wait(inner: LocalRemote) -> None:
    remote, _, waits = retrying(inner, Fault(1, error=TransientError("slow down", retry_after=7.0)))
    remote.get("k")
    assert waits.seconds == [7.0]


def test_the_server_may_not_ask_for_hours(inner: LocalRemote) -> None:
    remote, _, waits = retrying(inner, Fault(1, error=TransientError("slow down", retry_after=86_400.0)))
    remote.get("k")
    assert waits.seconds == [120.0]


def test_a_listing_is_whole_after_a_retry(inner: LocalRemote) -> None:
    inner.put("l", b"x")
    remote, _, _ = retrying(inner, Fault(1, "list", after=CUT))
    assert [item.key for item in remote.list("")] == ["k", "l"]


def test_a_cut_download_goes_on_where_it_stopped(inner: LocalRemote, tmp_path: Path) -> None:
    value = bytes(range(256)) * 100_000
    inner.put("big", value)
    remote, faulty, _ = retrying(inner, Fault(1, "get_file", change=lambda data: data[:1_000_001], after=CUT))
    remote.get_file("big", bytes(tmp_path / "back"), len(value))
    assert (tmp_path / "back").read_bytes() == value
    assert [method for method, _ in faulty.log].count("get_file") == 1
    assert inner.capabilities.ranges


def test_a_download_that_goes_on_is_not_given_up(inner: LocalRemote, tmp_path: Path) -> None:
    value = bytes(range(256)) * 400_000  # 13 pieces of 8 MiB
    inner.put("big", value)
    cuts = [Fault(number, "get", error=CUT) for number in range(2, 22, 2)]
    remote, _, _ = retrying(inner, Fault(1, "get_file", change=lambda data: data[:5], after=CUT), *cuts)
    remote.get_file("big", bytes(tmp_path / "back"), len(value))
    assert (tmp_path / "back").read_bytes() == value


def test_older_bytes_are_no_beginning_of_the_value(inner: LocalRemote, tmp_path: Path) -> None:
    (tmp_path / "back").write_bytes(b"old")
    remote, _, _ = retrying(inner, Fault(1, "get_file", error=CUT))
    remote.get_file("k", bytes(tmp_path / "back"), 10)
    assert (tmp_path / "back").read_bytes() == b"0123456789"


def test_a_put_whose_answer_was_lost_counts_as_written(inner: LocalRemote) -> None:
    remote, _, _ = retrying(inner, Fault(1, "put", after=CUT))
    assert remote.put("new", b"mine", create_only=True)


def test_a_put_that_another_one_won_meanwhile_does_not(inner: LocalRemote) -> None:
    remote, _, _ = retrying(inner, Fault(1, "put", error=CUT))
    assert not remote.put("k", b"mine", create_only=True)
    assert inner.get("k") == b"0123456789"


def test_closing_ends_the_waiting(inner: LocalRemote) -> None:
    faulty = FaultyRemote(inner, Fault(1, error=TransientError("busy", retry_after=100.0), times=ALWAYS))
    remote = RetryingRemote(faulty)
    remote.close()
    with pytest.raises(TransientError, match="busy"):
        remote.get("k")
    assert len(faulty.log) == 1


def test_every_method_is_passed_on(inner: LocalRemote, tmp_path: Path) -> None:
    remote, faulty, _ = retrying(inner)
    (tmp_path / "file").write_bytes(b"f")
    remote.prepare()
    remote.put_file("f", bytes(tmp_path / "file"))
    assert remote.stat("f") == inner.stat("f")
    remote.delete("f")
    assert inner.stat("f") is None
    assert (remote.name, remote.url, remote.capabilities) == (inner.name, inner.url, inner.capabilities)
    assert [method for method, _ in faulty.log] == ["put_file", "stat", "delete"]


def test_a_file_is_never_sent_twice_under_one_key(inner: LocalRemote, tmp_path: Path) -> None:
    remote, faulty, waits = retrying(inner, Fault(1, "put_file", after=CUT))
    (tmp_path / "file").write_bytes(b"f")
    with pytest.raises(TransientError):
        remote.put_file("f", bytes(tmp_path / "file"))
    assert len(faulty.log) == 1
    assert waits.seconds == []

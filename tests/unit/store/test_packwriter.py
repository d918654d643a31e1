"""Writing packs: grouping, limits, and a disk that fails in the middle."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from dvtool.disk.durable import write_all
from dvtool.errors import StorageError
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import RECORD_OBJECTS_LIMIT
from dvtool.formats.pack import RecordDecoder
from dvtool.formats.pack import RecordEncoder
from dvtool.hashing.digests import object_id
from dvtool.store import packwriter
from dvtool.store.packfile import PackFile
from dvtool.store.packfile import Table
from dvtool.store.packwriter import _RECORDS_AHEAD
from dvtool.store.packwriter import RECORD_WANTED
from dvtool.store.packwriter import FinishedPack
from dvtool.store.packwriter import PackWriter


@pytest.fixture
def finished() -> list[FinishedPack]:
    return []


@pytest.fixture
def writer(tmp_path: Path, finished: list[FinishedPack]) -> PackWriter:
    return PackWriter(DATA, os.fsencode(tmp_path), finished.append, sync=False)


def texts(count: int, size: int = 100) -> list[bytes]:
    return [(b"%d " % number * size)[:size] for number in range(count)]


def offsets(finished: FinishedPack) -> list[int]:
    return sorted({entry.offset for entry in Table(finished.table).entries()})


def content(finished: FinishedPack) -> list[bytes]:
    pack, decoder = PackFile(finished.path), RecordDecoder()
    assert pack.table(finished.id) == finished.table
    found = [data for offset in offsets(finished) for data in pack.read_record(offset, decoder)]
    pack.close()
    return found


def test_small_objects_share_records_in_the_order_they_came(writer: PackWriter, finished: list[FinishedPack]) -> None:
    added = texts(2_000)
    for text in added:
        writer.add(object_id(text), BYTES, text)
    writer.finish()
    (pack,) = finished
    assert content(pack) == added
    assert len(offsets(pack)) == -(-2_000 // (RECORD_WANTED // 100))
    assert os.stat(pack.path).st_mode & 0o777 == 0o444


def test_a_record_holds_a_limited_number_of_objects(writer: PackWriter, finished: list[FinishedPack]) -> None:
    added = [b"%d" % number for number in range(RECORD_OBJECTS_LIMIT + 1)]
    for text in added:
        writer.add(object_id(text), BYTES, text)
    writer.finish()
    assert content(finished[0]) == added
    assert len(offsets(finished[0])) == 2


def test_a_full_pack_is_handed_over_and_the_next_begun(
    writer: PackWriter, finished: list[FinishedPack], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packwriter, "PACK_WANTED", 1_000)
    monkeypatch.setattr(packwriter, "RECORD_WANTED", 300)
    added = [os.urandom(100) for _ in range(40)]
    for data in added:
        writer.add(object_id(data), BYTES, data)
    writer.finish()
    assert len(finished) > 2
    assert [data for pack in finished for data in content(pack)] == added


def test_keyed_objects_lie_alone(writer: PackWriter, finished: list[FinishedPack], tmp_path: Path) -> None:
    for number in range(3):
        writer.add_alone(object_id(b"key%d" % number), RECIPE, b"recipe")
    writer.finish()
    assert len(offsets(finished[0])) == 3


def test_what_is_added_twice_stands_in_a_pack_once(writer: PackWriter, finished: list[FinishedPack]) -> None:
    some, other = b"some" * 10, b"other" * 10
    writer.add(object_id(some), BYTES, some)
    writer.add(object_id(some), BYTES, some)
    writer.add_alone(object_id(other), BYTES, other)
    writer.add_alone(object_id(some), BYTES, some)
    writer.add(object_id(other), BYTES, other)
    writer.finish()
    (pack,) = finished
    assert content(pack) == [some, other]


def test_a_record_with_what_the_pack_has_goes_into_the_next(writer: PackWriter, finished: list[FinishedPack]) -> None:
    some, other = b"some" * 10, b"other" * 10
    writer.add(object_id(some), BYTES, some)
    members = [(object_id(data), BYTES, len(data)) for data in (some, other)]
    writer.add_record(RecordEncoder().encode([some, other]), members)
    writer.add(object_id(other), BYTES, other)
    writer.finish()
    assert [content(pack) for pack in finished] == [[some], [some, other]]


def test_nothing_added_makes_no_pack(writer: PackWriter, finished: list[FinishedPack], tmp_path: Path) -> None:
    writer.finish()
    assert finished == []
    assert os.listdir(tmp_path) == []


def test_an_aborted_pack_leaves_nothing(writer: PackWriter, finished: list[FinishedPack], tmp_path: Path) -> None:
    for text in texts(5_000):
        writer.add(object_id(text), BYTES, text)
    writer.abort()
    assert finished == []
    assert os.listdir(tmp_path) == []


def fill(writer: PackWriter) -> None:
    for _ in range(6):
        data = os.urandom(RECORD_WANTED)
        writer.add(object_id(data), BYTES, data)
    writer.finish()


@pytest.mark.parametrize("failing", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_write_that_fails_half_way_is_never_part_of_a_pack(
    failing: int,
    writer: PackWriter,
    finished: list[FinishedPack],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk is full for one write only, and what was queued behind it goes on."""
    calls = 0

    def failing_write(fd: int, data: bytes) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            write_all(fd, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_all(fd, data)

    monkeypatch.setattr(packwriter, "write_all", failing_write)
    monkeypatch.setattr(packwriter, "PACK_WANTED", 150_000)
    with pytest.raises(StorageError, match=r"cannot write to .*No space"):
        fill(writer)
    writer.abort()
    for pack in finished:
        named = {entry.digest for entry in Table(pack.table).entries()}
        assert {bytes(object_id(data)) for data in content(pack)} == named
    assert set(os.listdir(os.fsencode(tmp_path))) == {os.path.basename(pack.path) for pack in finished}


def test_an_abort_waits_for_one_record_at_most(
    writer: PackWriter, finished: list[FinishedPack], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker is in the middle of a slow write, and more is queued than a writer may have ahead."""
    is_writing, goes_on = threading.Event(), threading.Event()
    calls: list[int] = []

    def slow_write(fd: int, data: bytes) -> None:
        calls.append(len(data))
        is_writing.set()
        goes_on.wait()
        write_all(fd, data)

    monkeypatch.setattr(packwriter, "write_all", slow_write)
    for _ in range(_RECORDS_AHEAD):
        data = os.urandom(RECORD_WANTED)
        writer.add(object_id(data), BYTES, data)
    is_writing.wait()
    aborting = threading.Thread(target=writer.abort, daemon=True)
    queued = [future for future, _ in writer._pending][1:]
    aborting.start()
    while not all(future.cancelled() for future in queued):
        time.sleep(0.001)
    goes_on.set()
    aborting.join(60)
    assert len(queued) == _RECORDS_AHEAD - 2
    assert not aborting.is_alive()
    assert len(calls) == 2  # The header and the one record.
    assert (finished, os.listdir(tmp_path)) == ([], [])


def test_an_abort_after_the_end_does_nothing(writer: PackWriter, finished: list[FinishedPack]) -> None:
    writer.add(object_id(b"x"), BYTES, b"x")
    writer.finish()
    writer.abort()
    assert content(finished[0]) == [b"x"]

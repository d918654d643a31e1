"""The run cache on a remote: sent in few requests, never written twice, merged, and never half-believed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dvtool.errors import AccessDenied
from dvtool.formats.lock import LockedStage
from dvtool.formats.runentry import encode_entry
from dvtool.hashing.digests import object_id
from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem
from dvtool.remote.counting import CountingRemote
from dvtool.remote.drivers.local import LocalRemote
from dvtool.remote.wrapper import RemoteWrapper
from dvtool.transfer import runsync
from dvtool.transfer.runcopies import RunCopies
from dvtool.transfer.runsync import fetch_runs
from dvtool.transfer.runsync import push_runs


class Notes:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def begin(self, phase: str, *, total: int | None = None, unit: str = "files") -> None: ...

    def advance(self, amount: int) -> None: ...

    def end(self) -> None: ...

    def note(self, text: str) -> None:
        self.lines.append(text)


def key(number: int) -> str:
    return object_id(b"%d" % number).hex()


def line(number: int) -> bytes:
    return encode_entry(key(number), LockedStage(commands=(f"run {number}",)))


def lines(*numbers: int) -> list[bytes]:
    return [line(number) for number in numbers]


@pytest.fixture
def mine(tmp_path: Path) -> RunCopies:
    return RunCopies(os.fsencode(tmp_path / "mine"))


@pytest.fixture
def theirs(tmp_path: Path) -> RunCopies:
    return RunCopies(os.fsencode(tmp_path / "theirs"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "remote"


@pytest.fixture
def remote(place: Path) -> Remote:
    place.mkdir()
    return LocalRemote("origin", os.fsencode(place))


def on_remote(remote: Remote) -> list[str]:
    return sorted(item.key for item in remote.list("runs/"))


def test_sent_and_fetched(remote: Remote, mine: RunCopies, theirs: RunCopies) -> None:
    push_runs(remote, mine, lines(1, 2, 3))
    assert mine.has(key(2))
    assert fetch_runs(remote, theirs) == 1
    assert theirs.has(key(1))
    assert not theirs.has(key(4))
    assert fetch_runs(remote, theirs) == 0


def test_copies_are_there_in_the_next_command(remote: Remote, mine: RunCopies, tmp_path: Path) -> None:
    push_runs(remote, mine, lines(1))
    assert RunCopies(os.fsencode(tmp_path / "mine")).has(key(1))


def test_a_push_takes_two_requests_and_one_without_news_none(remote: Remote, mine: RunCopies) -> None:
    counting = CountingRemote(remote)
    push_runs(counting, mine, [])
    assert not counting.calls
    push_runs(counting, mine, lines(1))
    assert counting.calls == {"list": 1, "put": 1}


def test_many_files_are_merged_and_nothing_is_lost(remote: Remote, mine: RunCopies, theirs: RunCopies) -> None:
    most = 0
    for number in range(60):
        push_runs(remote, mine, lines(number))
        most = max(most, len(on_remote(remote)))
    assert most <= 17
    fetch_runs(remote, theirs)
    assert all(theirs.has(key(number)) for number in range(60))
    assert all(mine.has(key(number)) for number in range(60))


def test_two_who_merge_at_once_lose_nothing(remote: Remote, mine: RunCopies, theirs: RunCopies, tmp_path: Path) -> None:
    """Another push comes between any two requests of one that merges."""
    for number in range(16):
        push_runs(remote, mine, lines(number))
    for turn in range(12):
        between = Between(remote, turn, lambda turn=turn: push_runs(remote, theirs, lines(200 + turn)))
        push_runs(between, mine, lines(100 + turn))
        for number in range(15):
            push_runs(remote, mine, lines(1_000 + 20 * turn + number))
    fresh = RunCopies(os.fsencode(tmp_path / "fresh"))
    fetch_runs(remote, fresh)
    wanted = [*range(16), *range(100, 112), *(1_000 + 20 * turn + n for turn in range(12) for n in range(15))]
    assert [number for number in wanted if not fresh.has(key(number))] == []
    assert any(fresh.has(key(200 + turn)) for turn in range(12))


class Between(RemoteWrapper):
    """Does something else before its *turn*-th request."""

    def __init__(self, inner: Remote, turn: int, other: object) -> None:
        super().__init__(inner)
        self._left = turn
        self._other = other

    def _step(self) -> None:
        self._left -= 1
        if self._left == -1:
            assert callable(self._other)
            self._other()

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        self._step()
        return self._inner.list(prefix)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        self._step()
        return self._inner.get(key, start, length)

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        self._step()
        return self._inner.put(key, data, create_only=create_only)

    def delete(self, key: str) -> None:
        self._step()
        self._inner.delete(key)


def test_a_damaged_file_is_passed_over(place: Path, remote: Remote, mine: RunCopies, theirs: RunCopies) -> None:
    push_runs(remote, mine, lines(1))
    push_runs(remote, mine, lines(2))
    path = place / on_remote(remote)[0]
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(data[:-3] + b"xyz")
    notes = Notes()
    assert fetch_runs(remote, theirs, notes) == 1
    assert len(notes.lines) == 1
    assert "not what the name says" in notes.lines[0]


def test_a_damaged_copy_is_fetched_again(remote: Remote, mine: RunCopies, tmp_path: Path) -> None:
    push_runs(remote, mine, lines(1))
    (path,) = (tmp_path / "mine").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    again = RunCopies(os.fsencode(tmp_path / "mine"))
    assert not again.has(key(1))
    fetch_runs(remote, again)
    assert again.has(key(1))


def test_what_vanished_from_the_remote_is_forgotten(place: Path, remote: Remote, mine: RunCopies) -> None:
    push_runs(remote, mine, lines(1))
    (place / on_remote(remote)[0]).unlink()
    push_runs(remote, mine, lines(2))
    assert not mine.has(key(1))
    assert mine.has(key(2))


def test_other_names_are_not_read(place: Path, remote: Remote, mine: RunCopies) -> None:
    (place / "runs").mkdir()
    for name in ("x", "A" * 64, "0" * 63):
        (place / "runs" / name).write_bytes(b"?")
    assert fetch_runs(remote, mine) == 0


def test_a_remote_cannot_make_a_clone_fetch_without_end(
    remote: Remote, mine: RunCopies, theirs: RunCopies, monkeypatch: pytest.MonkeyPatch
) -> None:
    push_runs(remote, mine, lines(1, 2, 3))
    monkeypatch.setattr(runsync, "_MOST_BYTES", 100)
    notes = Notes()
    assert fetch_runs(remote, theirs, notes) == 0
    assert "not fetched" in notes.lines[0]


def test_a_place_that_refuses_is_an_error(remote: Remote, mine: RunCopies) -> None:
    class Refusing(RemoteWrapper):
        def list(self, prefix: str) -> Iterator[RemoteItem]:
            raise AccessDenied("no")

    with pytest.raises(AccessDenied):
        fetch_runs(Refusing(remote), mine)


def test_a_clone_whose_disk_is_full_does_without_copies(
    remote: Remote, mine: RunCopies, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: bytes, data: bytes, *, durable: bool) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dvtool.transfer.runcopies.write_file", full)
    push_runs(remote, mine, lines(1))
    assert mine.has(key(1))

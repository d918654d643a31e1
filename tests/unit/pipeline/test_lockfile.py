"""Locks on disk: each finished stage stands there at once, whatever ends the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import decode_lock
from dvtool.formats.lock import encode_lock
from dvtool.pipeline import lockfile
from dvtool.pipeline.lockfile import LockReader
from dvtool.pipeline.lockfile import LockWriter
from tests.unit.pipeline.made import ROOT

SUB = b"models/dvtool.yaml"


class Place:
    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.state = folder / "state"
        (self.root / "models").mkdir(parents=True)

    def writer(self, *, durable: bool = False) -> LockWriter:
        return LockWriter(os.fsencode(self.root), os.fsencode(self.state), durable=durable)

    def read(self, definition: bytes = ROOT) -> dict[str, LockedStage]:
        return LockReader(os.fsencode(self.root), os.fsencode(self.state)).read(definition)

    def on_disk(self) -> dict[str, LockedStage]:
        return decode_lock((self.root / "dvtool.lock").read_bytes(), "x")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def done(name: str) -> LockedStage:
    return LockedStage(commands=(name,))


def killed(place: Place, names: str) -> None:
    """A process that recorded *names* and was killed."""
    program = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from dvtool.pipeline.lockfile import LockWriter
from dvtool.formats.lock import LockedStage
writer = LockWriter({os.fsencode(place.root)!r}, {os.fsencode(place.state)!r}, durable=False).__enter__()
for name in {names.split()!r}:
    writer.record(b"dvtool.yaml", name, LockedStage(commands=(name,)))
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9


def test_nothing_is_there_before_the_first_run(place: Place) -> None:
    assert place.read() == {}


def test_what_is_recorded_is_read(place: Place) -> None:
    with place.writer(durable=True) as writer:
        writer.record(ROOT, "a", done("a"))
        writer.record(SUB, "b", done("b"))
        assert place.read() == {"a": done("a")}
    assert place.read(SUB) == {"b": done("b")}
    assert writer.written == {b"dvtool.lock", b"models/dvtool.lock"}
    assert (place.root / "dvtool.lock").read_bytes() == encode_lock({"a": done("a")})
    assert os.listdir(place.state) == []


def test_other_stages_stay_and_the_same_again_writes_nothing(place: Place) -> None:
    with place.writer() as writer:
        writer.record(ROOT, "a", done("a"))
        writer.record(ROOT, "b", done("b"))
    before = os.stat(place.root / "dvtool.lock")
    with place.writer() as writer:
        writer.record(ROOT, "a", done("a"))
    assert writer.written == set()
    assert os.stat(place.root / "dvtool.lock") == before
    with place.writer() as writer:
        writer.remove(ROOT, ["a", "never"])
    assert place.read() == {"b": done("b")}


def test_a_killed_run_loses_no_finished_stage(place: Place) -> None:
    with place.writer() as writer:
        for number in range(200):
            writer.record(ROOT, f"old{number}", done("x"))
    killed(place, "a b old7")
    assert "a" not in place.on_disk()
    expected = {f"old{number}": done("x") for number in range(200)} | {name: done(name) for name in ("a", "b", "old7")}
    assert place.read() == expected
    with place.writer():
        pass
    assert place.on_disk() == place.read() == expected


def test_a_torn_line_is_passed_over(place: Place) -> None:
    with place.writer() as writer:
        for number in range(200):
            writer.record(ROOT, f"old{number}", done("x"))
    killed(place, "a b")
    journal = place.state / "locks.journal"
    whole = journal.read_bytes()
    second = whole.index(b"\n") + 1
    for cut in (len(whole) - 1, second + 1, second):
        journal.write_bytes(whole[:cut])
        found = place.read()
        assert found["a"] == done("a")
        assert ("b" in found) is (cut == len(whole) - 1)


def test_a_version_that_git_brought_since_is_not_overwritten(place: Place) -> None:
    with place.writer() as writer:
        for number in range(200):
            writer.record(ROOT, f"old{number}", done("x"))
    killed(place, "old7 new")
    (place.root / "dvtool.lock").write_bytes(encode_lock({"old7": done("from Git")}))
    expected = {"old7": done("from Git"), "new": done("new")}
    assert place.read() == expected
    with place.writer():
        pass
    assert place.on_disk() == expected


def test_a_lock_is_not_written_for_each_of_many_stages(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def counting(path: bytes, data: bytes, **options: bool) -> None:
        written.append(len(data))
        Path(os.fsdecode(path)).write_bytes(data)

    with place.writer() as writer:
        for number in range(1000):
            writer.record(ROOT, f"s{number}", done("first"))
    monkeypatch.setattr(lockfile, "write_file", counting)
    with place.writer() as writer:
        for number in range(1000):
            writer.record(ROOT, f"s{number}", done("again"))
    assert len(written) <= 51
    assert len(place.read()) == 1000


def test_an_error_of_the_run_is_not_hidden(place: Place) -> None:
    def run() -> None:
        with place.writer() as writer:
            writer.record(ROOT, "a", done("a"))
            raise KeyError

    with pytest.raises(KeyError):
        run()
    assert place.on_disk() == {"a": done("a")}

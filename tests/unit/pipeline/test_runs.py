"""Records of runs: written while they go on, readable whatever ended them, and not too many."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dvtool.errors import FormatError
from dvtool.errors import StorageError
from dvtool.errors import UsageError
from dvtool.formats.runrecord import Cause
from dvtool.formats.runrecord import StageRecord
from dvtool.formats.runrecord import decode_record
from dvtool.pipeline import runs
from dvtool.pipeline.outcome import Decided
from dvtool.pipeline.outcome import Ended
from dvtool.pipeline.outcome import Outcome
from dvtool.pipeline.outcome import Started
from dvtool.pipeline.outcome import State
from dvtool.pipeline.outcome import Tick
from dvtool.pipeline.runs import Recorder
from dvtool.pipeline.runs import Runs
from dvtool.pipeline.runs import RunState
from dvtool.pipeline.types import Action
from dvtool.pipeline.types import Because
from dvtool.pipeline.types import Decision
from dvtool.pipeline.types import Reason
from tests.unit.pipeline.made import stage

WHY = Reason(Because.PARAM_CHANGED, "params.yaml:lr", "0.1", "0.2")
TRAIN = stage("train", "data", "model")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def kept(tmp_path: Path) -> Runs:
    return Runs(os.fsencode(tmp_path / "state"))


def begin(kept: Runs) -> Recorder:
    return kept.begin(argv=("dvtool", "repro"), request={"targets": ["train"]}, commit="ab" * 20, clock=Clock())


def ran(recorder: Recorder, name: str = "train", code: int = 0, text: bytes = b"hello\n") -> None:
    each = stage(name, "data", "model")
    log = recorder.log_of(each)
    decision = Decision(name, Action.RUN, (WHY,))
    recorder.tell(Decided(decision))
    recorder.tell(Started(each, 1, log))
    Path(os.fsdecode(log)).write_bytes(text)
    recorder.tell(Tick((name,)))
    state = State.FAILED if code else State.RAN
    recorder.tell(Ended(Outcome(name, state, decision, code, False, 2.5, 4096, 1, log)))


def test_a_whole_run(kept: Runs) -> None:
    with begin(kept) as recorder:
        recorder.tell(Decided(Decision("prepare", Action.SKIP, (Reason(Because.UNCHANGED),))))
        recorder.tell(Ended(Outcome("prepare", State.SKIPPED)))
        ran(recorder)
        recorder.end()
    run = kept.read(1)
    assert (run.id, run.state) == (1, RunState.DONE)
    record = run.record
    assert record is not None
    assert (record.argv, record.request) == (("dvtool", "repro"), {"targets": ["train"]})
    assert (record.commit, record.started, record.ended, record.code) == ("ab" * 20, 1001.0, 1003.0, 0)
    assert [*record.stages] == ["prepare", "train"]
    assert record.stages["prepare"] == StageRecord("prepare", "skip", (Cause("unchanged", "", "", ""),), "skipped")
    train = record.stages["train"]
    assert train.causes == (("parameter changed", "params.yaml:lr", "0.1", "0.2"),)
    assert (train.state, train.seconds, train.peak, train.started, train.attempts) == ("ran", 2.5, 4096, 1002.0, 1)
    assert Path(os.fsdecode(run.folder), train.log).read_bytes() == b"hello\n"


def test_a_failed_run(kept: Runs) -> None:
    with begin(kept) as recorder:
        ran(recorder, code=3)
        recorder.end(8, StorageError("no room"))
    run = kept.read(1)
    assert run.state is RunState.FAILED
    assert run.record is not None
    assert (run.record.code, run.record.problem, run.record.stages["train"].code) == (8, "no room", 3)


def test_a_run_under_way(kept: Runs) -> None:
    with begin(kept) as recorder:
        recorder.tell(Decided(Decision("train", Action.RUN, (WHY,))))
        recorder.tell(Started(TRAIN, 1, recorder.log_of(TRAIN)))
        run = kept.read(1)
        assert run.state is RunState.RUNNING
        assert run.record is not None
        assert run.record.stages["train"].state == ""
    assert kept.read(1).state is RunState.INTERRUPTED


def test_a_kill_leaves_a_readable_record(kept: Runs, tmp_path: Path) -> None:
    program = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from pathlib import Path
from tests.unit.pipeline.test_runs import Runs, begin, ran
recorder = begin(Runs(os.fsencode({str(tmp_path / "state")!r})))
ran(recorder)
ran(recorder, "evaluate")
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    run = kept.read(1)
    assert run.state is RunState.INTERRUPTED
    assert run.record is not None
    assert [each.state for each in run.record.stages.values()] == ["ran", "ran"]


def whole(kept: Runs) -> Path:
    with begin(kept) as recorder:
        ran(recorder)
        recorder.end()
    return Path(os.fsdecode(kept.read(1).folder), "record")


def test_cut_anywhere_it_is_read_or_damaged_and_never_wrong(kept: Runs) -> None:
    path = whole(kept)
    data = path.read_bytes()
    lines = data.splitlines()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        run = kept.read(1)
        complete = [line for line, other in zip(data[:length].splitlines(), lines) if line == other]
        if not complete:
            assert run.state is RunState.DAMAGED
            assert "not the record of a run" in run.problem
        else:
            assert run.record == decode_record(b"\n".join(complete), "x")


def test_flipped_bits_tell_nothing_wrong(kept: Runs) -> None:
    path = whole(kept)
    data = path.read_bytes()
    for at in range(0, len(data) * 8, 7):
        damaged = bytearray(data)
        damaged[at // 8] ^= 1 << (at % 8)
        path.write_bytes(bytes(damaged))
        record = kept.read(1).record
        assert record is None or record.started == 1001.0


def test_a_record_of_a_newer_dvtool_is_refused(kept: Runs) -> None:
    from dvtool.formats.runrecord import _line

    path = whole(kept)
    path.write_bytes(_line({"argv": [], "commit": "", "request": {}, "started": 1.0, "version": 2}))
    with pytest.raises(FormatError, match="newer"):
        kept.read(1)


def test_a_directory_without_a_record_is_damaged(kept: Runs) -> None:
    whole(kept).unlink()
    assert kept.read(1).state is RunState.DAMAGED
    assert kept.newest() is None


def test_no_such_run(kept: Runs) -> None:
    assert kept.ids() == []
    with pytest.raises(UsageError, match="no run 7"):
        kept.read(7)


def test_only_so_many_are_kept(kept: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "KEPT", 3)
    for _ in range(6):
        with begin(kept) as recorder:
            ran(recorder)
            recorder.end()
    assert kept.ids() == [4, 5, 6]
    newest = kept.newest()
    assert newest is not None
    assert newest.id == 6


def test_one_that_runs_stays(kept: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "KEPT", 1)
    with begin(kept):
        begin(kept).__exit__(None, None, None)
        begin(kept).__exit__(None, None, None)
        assert kept.ids() == [1, 3]


def test_long_logs_of_older_runs_go_first(kept: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "KEPT_LOG_BYTES", 25)
    for _ in range(4):
        with begin(kept) as recorder:
            ran(recorder, text=b"x" * 10)
            recorder.end()
    assert [len([*logs(kept, number)]) for number in kept.ids()] == [0, 1, 1, 1]


def logs(kept: Runs, number: int) -> Iterator[Path]:
    return Path(os.fsdecode(kept.read(number).folder)).glob("*.log")


def test_times_of_the_last_good_run_of_each_stage(kept: Runs) -> None:
    for name, code in (("a", 0), ("b", 0), ("b", 1)):
        with begin(kept) as recorder:
            ran(recorder, name, code)
            recorder.end()
    assert kept.seconds() == {"a": 2.5, "b": 2.5}


def test_a_full_disk_fails_no_run(kept: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    with begin(kept) as recorder:
        ran(recorder, "a")

        def full(fd: int, data: bytes) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("dvtool.pipeline.runs.write_all", full)
        ran(recorder, "b")
        monkeypatch.undo()
        ran(recorder, "c")
        recorder.end()
    record = kept.read(1).record
    assert record is not None
    assert [*record.stages] == ["a"]


def test_decisions_that_nothing_follows_cost_no_write_each(kept: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    with begin(kept) as recorder:
        monkeypatch.setattr("dvtool.pipeline.runs.write_all", lambda fd, data: written.append(len(data)))
        for number in range(1_000):
            recorder.tell(Decided(Decision(f"s{number}", Action.SKIP, (Reason(Because.UNCHANGED),))))
            recorder.tell(Ended(Outcome(f"s{number}", State.SKIPPED)))
        recorder.end()
    assert len(written) < 10

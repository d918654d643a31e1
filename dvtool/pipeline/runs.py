"""Records of runs in a workspace's state directory: a directory for each, with its record and the logs of its stages.

A record only tells: nothing is decided by it, and what cannot be written of it fails no run.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from typing import Any
from typing import NamedTuple

from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_all
from dvtool.disk.lock import FileLock
from dvtool.disk.lock import LockHandle
from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import Locked
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.lock import Json
from dvtool.formats.runrecord import Cause
from dvtool.formats.runrecord import RunRecord
from dvtool.formats.runrecord import StageRecord
from dvtool.formats.runrecord import begin_line
from dvtool.formats.runrecord import decode_record
from dvtool.formats.runrecord import end_line
from dvtool.formats.runrecord import stage_line
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.pipeline.outcome import Decided
from dvtool.pipeline.outcome import Ended
from dvtool.pipeline.outcome import Event
from dvtool.pipeline.outcome import Outcome
from dvtool.pipeline.outcome import Started
from dvtool.pipeline.types import Decision
from dvtool.pipeline.types import Stage

KEPT = 100
"""So many runs are kept at most, the newest."""
KEPT_LOG_BYTES = 256 << 20
"""Logs of older runs go once all of them together are longer."""

_FOLDER = b"runs"
_RECORD = b"record"
_LOCK = b"lock"
_NAME = re.compile(rb"[0-9]{8}")
_BUFFER_BYTES = 64 << 10


class RunState(Enum):
    """How a run stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    DAMAGED = "damaged"


class Run(NamedTuple):
    """One run; ``record`` is None where it is damaged, and ``problem`` says how."""

    id: int
    state: RunState
    folder: bytes
    record: RunRecord | None
    problem: str = ""


class Recorder:
    """Writes down one run while it goes on; a context manager. What leaves it without `end` was interrupted.

    ``id``: the run's number. `tell` takes what `execute` tells, each stage's logs lie where `log_of` says.
    """

    def __init__(self, number: int, folder: bytes, fd: int, lock: LockHandle | None, clock: Callable[[], float]):
        self.id = number
        self.folder = folder
        self._fd = fd
        self._lock = lock
        self._clock = clock
        self._stages: dict[str, StageRecord] = {}
        self._logs: dict[str, bytes] = {}
        self._buffer = bytearray()
        self._is_broken = False

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._write(b"", now=True)
        os.close(self._fd)
        if self._lock is not None:
            self._lock.release()

    def log_of(self, stage: Stage) -> bytes:
        """The file for what it prints."""
        return self._logs.setdefault(stage.address, os.path.join(self.folder, b"%06d.log" % (len(self._logs) + 1)))

    def tell(self, event: Event) -> None:
        """Write down what happened."""
        if isinstance(event, Decided):
            self._decided(event.decision)
        elif isinstance(event, Started):
            log = os.fsdecode(os.path.basename(event.log))
            known = self._stages.get(event.stage.address)
            started = self._clock() if known is None or not known.started else known.started
            self._stage(event.stage.address, now=True, started=started, attempts=event.attempt, log=log)
        elif isinstance(event, Ended):
            self._ended(event.outcome)

    def end(self, code: int = 0, error: DvtoolError | None = None) -> None:
        """The run is over. *code*: the exit code of the command."""
        self._write(end_line(self._clock(), code, "" if error is None else error.message), now=True)

    def _decided(self, decision: Decision) -> None:
        causes = tuple(
            Cause(reason.because.value, reason.subject, reason.before, reason.after) for reason in decision.reasons
        )
        self._stage(decision.stage, action=decision.action.value, causes=causes)

    def _ended(self, outcome: Outcome) -> None:
        found: dict[str, Any] = {
            "state": outcome.state.value,
            "seconds": outcome.seconds,
            "peak": outcome.peak,
            "code": outcome.code,
            "timed_out": outcome.timed_out,
            "attempts": outcome.attempts,
            "problem": "" if outcome.error is None else outcome.error.message,
        }
        known = self._stages.get(outcome.address, StageRecord(outcome.address))
        changed = {key: value for key, value in found.items() if getattr(known, key) != value}
        self._stage(outcome.address, now=outcome.attempts > 0, **changed)

    def _stage(self, address: str, *, now: bool = False, **changed: Any) -> None:
        stage = replace(self._stages.get(address, StageRecord(address)), **changed)
        self._stages[address] = stage
        self._write(stage_line(stage, changed), now=now)

    def _write(self, line: bytes, *, now: bool) -> None:
        self._buffer += line
        if self._is_broken or not (now or len(self._buffer) >= _BUFFER_BYTES):
            return
        try:
            write_all(self._fd, self._buffer)
        except OSError:
            # A full disk, say. What follows a gap could not be read.
            self._is_broken = True
        self._buffer.clear()


class Runs:
    """The runs of one workspace. Raises `StorageError` for what the disk refuses."""

    def __init__(self, state_dir: bytes, reporter: Reporter = SILENT) -> None:
        self.folder = os.path.join(state_dir, _FOLDER)
        self._reporter = reporter

    def begin(
        self,
        *,
        argv: tuple[str, ...] = (),
        request: Mapping[str, Json] = {},
        commit: str = "",
        clock: Callable[[], float],
    ) -> Recorder:
        """A new run. *clock*: Unix seconds. Older runs leave where there are too many."""
        try:
            make_dirs(self.folder, 0o700)
            number, folder = self._new()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            fd = os.open(os.path.join(folder, _RECORD), flags, 0o600)
            write_all(fd, begin_line(RunRecord(argv, request, commit, clock())))
            lock = FileLock(os.path.join(folder, _LOCK), mode=0o600).acquire(shared=False, timeout=0, what="a run")
        except OSError as error:
            raise storage_error(error, "note the run in", error.filename or self.folder) from error
        self._trim(number)
        return Recorder(number, folder, fd, lock, clock)

    def ids(self) -> list[int]:
        """The numbers of all runs, the oldest first."""
        try:
            names = os.listdir(self.folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise storage_error(error, "list", self.folder) from error
        return sorted(int(name) for name in names if _NAME.fullmatch(name))

    def read(self, number: int) -> Run:
        """One run. Raises `UsageError` where there is none of that number."""
        folder = self._path(number)
        path = os.path.join(folder, _RECORD)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except (FileNotFoundError, NotADirectoryError):
            if not os.path.isdir(folder):
                raise UsageError(f"there is no run {number}", hint="dvtool runs list") from None
            data = b""
        except OSError as error:
            raise storage_error(error, "read", path) from error
        try:
            record = decode_record(data, show(path))
        except FormatError as error:
            if error.hint is not None:
                raise
            return Run(number, RunState.DAMAGED, folder, None, error.message)
        return Run(number, self._state(folder, record), folder, record)

    def newest(self) -> Run | None:
        """The last one that can be read."""
        for number in reversed(self.ids()):
            run = self.read(number)
            if run.record is not None:
                return run
        return None

    def seconds(self, most: int = 20) -> dict[str, float]:
        """How long each stage took when it last ended well, by the newest *most* runs."""
        found: dict[str, float] = {}
        for number in reversed(self.ids()[-most:]):
            record = self.read(number).record
            for stage in record.stages.values() if record is not None else ():
                if stage.state == "ran":
                    found.setdefault(stage.stage, stage.seconds)
        return found

    def _state(self, folder: bytes, record: RunRecord) -> RunState:
        if record.ended is not None:
            return RunState.FAILED if record.code else RunState.DONE
        try:
            with FileLock(os.path.join(folder, _LOCK), mode=0o600).acquire(shared=True, timeout=0):
                return RunState.INTERRUPTED
        except Locked:
            return RunState.RUNNING
        except OSError:
            return RunState.INTERRUPTED

    def _new(self) -> tuple[int, bytes]:
        number = max(self.ids(), default=0) + 1
        while True:
            try:
                os.mkdir(self._path(number), 0o700)
            except FileExistsError:
                number += 1
            else:
                return number, self._path(number)

    def _trim(self, newest: int) -> None:
        """What cannot be removed now is removed by a later run."""
        room = KEPT_LOG_BYTES
        for place, number in enumerate(reversed(self.ids())):
            folder = self._path(number)
            with contextlib.suppress(OSError):
                logs = [entry for entry in os.scandir(folder) if entry.name.endswith(b".log")]
                room -= sum(entry.stat(follow_symlinks=False).st_size for entry in logs)
                if number == newest or (place < KEPT and room >= 0):
                    continue
                if place < KEPT:
                    for entry in logs:
                        os.unlink(entry.path)
                elif self.read(number).state is not RunState.RUNNING:
                    for name in os.listdir(folder):
                        os.unlink(os.path.join(folder, name))
                    os.rmdir(folder)

    def _path(self, number: int) -> bytes:
        return os.path.join(self.folder, b"%08d" % number)

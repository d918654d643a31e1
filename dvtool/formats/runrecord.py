"""The record of one run of stages, version 1: see ``docs/formats/run-record.md``.

It is written line by line while the run goes on, so it can be read whatever ended the run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any
from typing import NamedTuple

from xxhash import xxh3_64_hexdigest

from dvtool.errors import FormatError
from dvtool.formats.lock import Json

VERSION = 1
MAX_BYTES = 256 << 20

_CHECKSUM_DIGITS = 16


class Cause(NamedTuple):
    """Why something was done with a stage; the words of `dvtool.pipeline.types.Reason` as text."""

    because: str
    subject: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One stage of a run. ``action``: what was decided. ``state``: how it ended; empty for one that did not end.

    ``started``: Unix seconds, 0 where nothing was started. ``peak``: bytes. ``log``: name of a file beside the record,
    empty where there is none. ``problem``: what was wrong, in a sentence, where it was not the command.
    """

    stage: str
    action: str = ""
    causes: tuple[Cause, ...] = ()
    state: str = ""
    started: float = 0.0
    seconds: float = 0.0
    peak: int = 0
    code: int = 0
    timed_out: bool = False
    attempts: int = 0
    log: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """``argv``: the command, without secrets. ``request``: what it asked for. ``commit``: of HEAD, or empty.

    ``ended``: Unix seconds, None for a run that did not come to its end; ``code``: its exit code, ``problem``: what
    it ended with. ``stages`` in the order in which they were decided.
    """

    argv: tuple[str, ...]
    request: Mapping[str, Json]
    commit: str
    started: float
    ended: float | None = None
    code: int = 0
    problem: str = ""
    stages: Mapping[str, StageRecord] = field(default_factory=dict)


def begin_line(record: RunRecord) -> bytes:
    """The first line."""
    return _line(
        {
            "argv": list(record.argv),
            "commit": record.commit,
            "request": record.request,
            "started": record.started,
            "version": VERSION,
        }
    )


def stage_line(stage: StageRecord, changed: Mapping[str, Any]) -> bytes:
    """What is new about a stage: fields of `StageRecord` by name."""
    body = {**changed, "stage": stage.stage}
    if "causes" in body:
        body["causes"] = [list(cause) for cause in stage.causes]
    return _line(body)


def end_line(ended: float, code: int, problem: str) -> bytes:
    """The last line."""
    return _line({"code": code, "ended": ended, "problem": problem})


def decode_record(data: bytes, where: str) -> RunRecord:
    """What was written before the run ended, however it did; a torn line and all behind it are left out.

    Raises `FormatError`, also for a newer version.
    """
    if len(data) > MAX_BYTES:
        raise FormatError(f"{where}: larger than {MAX_BYTES} bytes")
    lines = _bodies(data)
    try:
        first = next(lines)
        version = first["version"]
        if type(version) is int and version > VERSION:
            raise FormatError(
                f"{where}: version {version} is newer than this dvtool reads ({VERSION})", hint="upgrade dvtool"
            )
        argv, request = tuple(map(str, first["argv"])), dict(first["request"])
        record = RunRecord(argv, request, str(first["commit"]), float(first["started"]))
        stages: dict[str, StageRecord] = {}
        for body in lines:
            if "stage" in body:
                name = str(body["stage"])
                if "causes" in body:
                    body["causes"] = tuple(Cause(*map(str, cause)) for cause in body["causes"])
                stages[name] = replace(stages.get(name, StageRecord(name)), **body)
            else:
                record = replace(record, **body)
        return replace(record, stages=stages)
    except (StopIteration, KeyError, TypeError, ValueError):
        raise FormatError(f"{where}: not the record of a run") from None


def _bodies(data: bytes) -> Iterator[dict[str, Any]]:
    for line in data.splitlines():
        checksum, text = line[:_CHECKSUM_DIGITS], line[_CHECKSUM_DIGITS + 1 :]
        if xxh3_64_hexdigest(text).encode("ascii") != checksum:
            return
        body = json.loads(text.decode("ascii"))
        if not isinstance(body, dict):
            raise TypeError
        yield body


def _line(body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return f"{xxh3_64_hexdigest(text.encode('ascii'))} {text}\n".encode("ascii")

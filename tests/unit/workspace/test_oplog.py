from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.errors import FormatError
from dvtool.formats.oplog import VERSION
from dvtool.formats.oplog import FileChange
from dvtool.formats.oplog import Operation
from dvtool.formats.oplog import Where
from dvtool.formats.oplog import decode_operation
from dvtool.formats.oplog import encode_operation
from dvtool.formats.sealed import seal
from dvtool.formats.sealed import unseal
from dvtool.workspace import oplog
from dvtool.workspace.oplog import OperationLog


@pytest.fixture
def log(tmp_path: Path) -> OperationLog:
    return OperationLog(bytes(tmp_path))


def run(log: OperationLog, verb: str = "add") -> int:
    number = log.start(Operation(verb), durable=False)
    log.finish(number)
    return number


def names(log: OperationLog) -> list[bytes]:
    return sorted(name for name in os.listdir(log.folder) if name != b"lock")


def test_an_operation_is_started_and_finished(log: OperationLog) -> None:
    assert log.read() == []
    number = log.start(Operation("add", ("add", "x")), durable=True)
    assert [(each.id, each.is_done) for each in log.read()] == [(1, False)]
    log.rewrite(number, Operation("add", summary="more"), durable=True)
    log.finish(number)
    (only,) = log.read()
    assert (only.id, only.is_done) == (1, True)
    assert only.operation is not None
    assert only.operation.summary == "more"
    assert only.operation.when > 1_600_000_000
    assert names(log) == [b"00000001.json"]
    assert os.stat(log.folder).st_mode & 0o777 == 0o700
    assert os.stat(os.path.join(log.folder, b"00000001.json")).st_mode & 0o777 == 0o600


def test_one_that_changed_nothing_is_forgotten(log: OperationLog) -> None:
    log.discard(log.start(Operation("push"), durable=False))
    assert names(log) == []


def test_only_so_many_are_kept_and_numbers_go_on(log: OperationLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oplog, "KEPT", 3)
    for _ in range(5):
        run(log)
    assert [each.id for each in log.read()] == [3, 4, 5]


def test_what_is_old_goes_and_the_last_one_stays(log: OperationLog) -> None:
    for _ in range(3):
        run(log)
    for number in (1, 2, 3):
        os.utime(os.path.join(log.folder, b"%08d.json" % number), (1, 1))
    assert run(log) == 4
    assert [each.id for each in log.read()] == [4]


def test_a_torn_record_is_shown_and_hides_no_other(log: OperationLog) -> None:
    run(log), run(log)
    path = os.path.join(log.folder, b"00000001.json")
    with open(path, "r+b") as file:
        file.truncate(100)
    first, second = log.read()
    assert first.operation is None
    assert "00000001.json" in first.problem
    assert second.operation is not None


def test_an_empty_record_is_torn_too(log: OperationLog) -> None:
    run(log)
    os.truncate(os.path.join(log.folder, b"00000001.json"), 0)
    assert [each.operation for each in log.read()] == [None]
    assert run(log) == 2


def test_a_newer_version_is_refused_in_one_line(log: OperationLog) -> None:
    number = log.start(Operation("add"), durable=False)
    data = encode_operation(Operation("add"))
    body = {
        key: value for key, value in unseal("operation", VERSION, data, "x").items() if key not in ("dvtool", "version")
    }
    with open(os.path.join(log.folder, b"%08d-started.json" % number), "wb") as file:
        file.write(seal("operation", VERSION + 1, body))
    with pytest.raises(FormatError, match="version 2 is newer than this dvtool reads") as caught:
        log.read()
    assert "\n" not in caught.value.message
    assert caught.value.hint == "upgrade dvtool"


def test_what_a_killed_command_left_is_swept(log: OperationLog) -> None:
    run(log)
    left = os.path.join(log.folder, b".dvtool-tmp-0011223344556677")
    Path(os.fsdecode(left)).write_bytes(b"half")
    run(log)
    assert names(log) == [b"00000001.json", b"00000002.json"]


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a\0b", ".git/hooks/x", "a/.GIT/x"])
def test_paths_that_lead_elsewhere_are_refused(path: str) -> None:
    import base64

    body = unseal("operation", VERSION, encode_operation(Operation("add")), "x")
    body["bases"] = [[base64.b64encode(path.encode()).decode(), None, None]]
    del body["dvtool"], body["version"]
    with pytest.raises(FormatError, match="not a valid record"):
        decode_operation(seal("operation", VERSION, body), "x")


@pytest.mark.parametrize(
    ("where", "path"),
    [
        ("project", ".git/hooks/pre-commit"),
        ("project", ".dvtool/state/lock"),
        ("git", "hooks/pre-commit"),
        ("git", "config"),
    ],
)
def test_only_files_that_dvtool_writes_are_in_a_record(where: Where, path: str) -> None:
    change = FileChange(where, path.encode(), b"#!/bin/sh\n", None, 0o755)
    with pytest.raises(FormatError, match="not a valid record"):
        decode_operation(encode_operation(Operation("add", files=(change,))), "x")

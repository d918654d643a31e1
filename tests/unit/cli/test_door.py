"""What an error looks like, and that none gets past the door."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from io import BytesIO
from io import StringIO
from pathlib import Path
from typing import NoReturn

import click
import pytest

from dvtool import errors
from dvtool.cli.bugreport import report_text
from dvtool.cli.door import Terminated
from dvtool.cli.door import guarded
from dvtool.cli.door import hold_signals
from dvtool.cli.session import Session
from tests.support.cli import Ran


class Closed(StringIO):
    """A pipe whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def action() -> NoReturn:
        raise error

    return action


def met(error: BaseException, *argv: str, environ: dict[str, str] | None = None, verbose: bool = False) -> Ran:
    out, err = StringIO(), StringIO()
    session = Session(BytesIO(), out, err, environ or {}, b"/")
    session.verbose = verbose
    code = guarded(session, argv, raising(error))
    return Ran(code, out.getvalue(), err.getvalue())


def test_what_happened_and_what_to_do_next() -> None:
    ran = met(errors.MissingData("3 objects are missing", hint="dvtool fetch"))
    assert ran == Ran(4, "", "error: 3 objects are missing\nhint: dvtool fetch\n")


def test_ten_causes_and_how_many_more() -> None:
    causes = tuple(errors.StorageError(f"cannot read {n}") for n in range(22))
    lines = met(errors.DvtoolError("22 files failed", causes=causes)).err.splitlines()
    assert lines[:3] == ["error: 22 files failed", "  cannot read 0", "  cannot read 1"]
    assert lines[-1] == "  ... and 12 more (-v shows all)"
    assert len(met(errors.DvtoolError("22 files failed", causes=causes), verbose=True).err.splitlines()) == 23


def test_without_a_hint_of_its_own_that_of_a_cause() -> None:
    ran = met(errors.DvtoolError("failed", causes=(OSError(), errors.StorageError("full", hint="free some space"))))
    assert ran.err.endswith("hint: free some space\n")


def test_secrets_and_control_characters_are_taken_out() -> None:
    ran = met(errors.StorageError("no answer from https://me:pw@host/\x1b]0;x\x07", hint="secret_access_key=abc"))
    assert ran.err == "error: no answer from https://***@host/\\x1b]0;x\\x07\nhint: secret_access_key=***\n"


def test_verbose_shows_what_lies_behind() -> None:
    error = errors.StorageError("cannot push")
    error.__cause__ = TimeoutError(110, "timed out", "x")
    assert met(error).err == "error: cannot push\n"
    assert met(error, verbose=True).err == "error: cannot push\ncaused by: cannot use x: timed out\n"


def test_a_second_line_is_indented() -> None:
    assert met(errors.DvtoolError("one\ntwo")).err == "error: one\n  two\n"


def test_json_asked_json_given() -> None:
    error = errors.StorageError("cannot read x", path=b"d/\xff", causes=(errors.MissingData("gone"), OSError(5, "I/O")))
    ran = met(error, "status", "--json")
    assert json.loads(ran.out) == {
        "schema": "dvtool/error/1",
        "kind": "storage",
        "message": "cannot read x",
        "path": "d/\ufffd",
        "path_bytes": "ZC//",
        "hint": None,
        "causes": [
            {"kind": "missing", "message": "gone", "path": None, "hint": None, "causes": []},
            {"kind": "storage", "message": "the system refused: I/O", "path": None, "hint": None, "causes": []},
        ],
        "exit_code": 4,
    }
    assert ran.err.startswith("error: cannot read x\n")


@pytest.mark.parametrize("argv", [("add", "--", "--json"), ("add",)])
def test_json_not_asked(argv: tuple[str, ...]) -> None:
    assert met(errors.DvtoolError("x"), *argv).out == ""


def test_one_document_only() -> None:
    out = StringIO()
    session = Session(BytesIO(), out, StringIO(), {}, b"/")

    def action() -> NoReturn:
        session.json("pull/1", {"files": 1})
        raise errors.MissingData("1 file is missing")

    assert guarded(session, ["pull", "--json"], action) == 4
    assert json.loads(out.getvalue()) == {"schema": "dvtool/pull/1", "files": 1}


def test_an_operating_system_error_that_slipped_through() -> None:
    ran = met(OSError(28, "No space left on device", "/data/x"))
    assert ran.code == 7
    assert ran.err.startswith("error: cannot use /data/x: No space left on device\nhint: free some space")
    assert met(OSError(5, "Input/output error")).err == "error: the system refused: Input/output error\n"


def test_a_bug_leaves_a_report_and_no_traceback(tmp_path: Path) -> None:
    error = ValueError("unexpected https://me:pw@host")
    ran = met(error, "remote", "modify", "o", "password", "hunter2", environ={"XDG_STATE_HOME": str(tmp_path)})
    assert ran.code == 1
    assert ran.err.startswith("error: this is a bug in dvtool: ValueError: unexpected https://***@host\n")
    assert "Traceback" not in ran.err
    (report,) = (tmp_path / "dvtool").iterdir()
    assert str(report) in ran.err
    assert report.stat().st_mode & 0o777 == 0o600
    text = report.read_text()
    assert "Traceback" in text
    assert "dvtool remote modify o password ***" in text
    assert "hunter2" not in text
    assert "pw@" not in text


def test_a_bug_with_nowhere_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = tmp_path / "file"
    nowhere.touch()
    monkeypatch.setattr("tempfile.tempdir", str(nowhere))
    ran = met(KeyError("x"), environ={"XDG_STATE_HOME": str(nowhere)})
    assert ran == Ran(
        1,
        "",
        "error: this is a bug in dvtool: KeyError: 'x'\nhint: run it again with DVTOOL_TRACEBACK=1 to see where\n",
    )


def test_the_traceback_is_shown_on_demand(tmp_path: Path) -> None:
    environ = {"XDG_STATE_HOME": str(tmp_path), "DVTOOL_TRACEBACK": "1"}
    assert "Traceback" in met(KeyError("x"), environ=environ).err
    assert "Traceback" in met(errors.DvtoolError("x"), environ=environ).err


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["config", "--local", "remote.o.password", "hunter2"], "config --local remote.o.password ***"),
        (["config", "core.remote"], "config core.remote"),
        (["-q", "remote", "modify", "o", "token", "hunter2"], "-q remote modify o token ***"),
        (["remote", "add", "o", "s3://a:hunter2@b"], "remote add o s3://***@b"),
    ],
)
def test_a_report_names_the_command_without_secrets(argv: list[str], shown: str) -> None:
    assert f"`dvtool {shown}`" in report_text(argv, ValueError("x"))


def test_out_of_memory_is_no_bug() -> None:
    assert met(MemoryError()).err.startswith("error: out of memory\nhint: ")


def test_wrong_usage_in_the_same_style() -> None:
    assert met(click.UsageError("Missing argument 'NAME'.")) == Ran(2, "", "error: missing argument 'NAME'\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.exceptions.Abort()])
def test_an_interrupt_passes(error: BaseException) -> None:
    with pytest.raises(KeyboardInterrupt):
        met(error)


def test_sigterm_ends_what_is_under_way() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated), hold_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_closed_pipe_is_quiet() -> None:
    err = StringIO()
    session = Session(BytesIO(), Closed(), err, {}, b"/")

    def action() -> int:
        session.line("x")
        return 0

    assert guarded(session, [], action) == 141
    assert err.getvalue() == ""
    assert guarded(session, [], lambda: 0) == 141


def test_a_closed_error_stream_still_gives_the_code() -> None:
    session = Session(BytesIO(), StringIO(), Closed(), {}, b"/")
    assert guarded(session, [], raising(errors.MissingData("x"))) == 4

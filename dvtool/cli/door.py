"""The one door for errors: what happened, why, what to do next, and the exit code."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from types import FrameType

import click

from dvtool.cli import exitcodes
from dvtool.cli.session import OutputClosed
from dvtool.cli.session import Session
from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.ui.text import safe

CAUSES_SHOWN = 10


class Terminated(BaseException):
    """SIGTERM arrived."""


def guarded(session: Session, argv: Sequence[str], action: Callable[[], int]) -> int:
    """Carry out *action* and turn whatever it raises into text on standard error and an exit code.

    `KeyboardInterrupt` and `Terminated` pass through.
    """
    try:
        try:
            code = action()
        finally:
            session.close()
    except OutputClosed:
        _close_stdout(session)
        return exitcodes.OUTPUT_CLOSED
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        raise KeyboardInterrupt from None
    except Exception as error:  # noqa: BLE001
        return _refused(session, argv, error)
    return code


@contextmanager
def hold_signals() -> Iterator[None]:
    """SIGTERM raises `Terminated` in the main thread while this is open."""

    def raise_terminated(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def report(session: Session, error: DvtoolError, code: int) -> None:
    """Show *error*; as JSON on standard output too where that was asked and nothing else was answered."""
    paint = session.err_paint
    lines = [f"{paint('error:', 'red', 'bold')} {_indented(error.message)}"]
    limit = None if session.verbose else CAUSES_SHOWN
    lines += [f"  {_indented(_as_known(cause).message)}" for cause in error.causes[:limit]]
    hidden = len(error.causes[limit:]) if limit is not None else 0
    if hidden:
        lines.append(f"  ... and {hidden} more (-v shows all)")
    if session.verbose:
        lines += [f"caused by: {_indented(_as_known(cause).message)}" for cause in _chain(error)]
    hint = _hint(error)
    if hint is not None:
        lines.append(f"{paint('hint:', 'cyan')} {_indented(hint)}")
    try:
        session.out.flush()
        session.err.write("".join(line + "\n" for line in lines))
        session.err.flush()
    except OSError:
        # Nobody is listening; the exit code still tells.
        pass
    if session.asked_json and not session.answered_json:
        try:
            session.json("error/1", {**_as_json(error), "exit_code": code})
            session.close()
        except (OutputClosed, OSError):
            _close_stdout(session)


def _refused(session: Session, argv: Sequence[str], error: Exception) -> int:
    session.asked_json = session.asked_json or "--json" in argv[: argv.index("--") if "--" in argv else None]
    if isinstance(error, DvtoolError):
        known = error
    elif isinstance(error, click.ClickException):
        known = _usage(error)
    elif isinstance(error, OSError):
        known = _as_known(error)
    else:
        known = _bug(session, argv, error)
    if _wants_traceback(session) and not isinstance(error, click.ClickException):
        import traceback

        session.err.write(safe("".join(traceback.format_exception(error))) + "\n")
    code = exitcodes.exit_code(known)
    report(session, known, code)
    return code


def _usage(error: click.ClickException) -> UsageError:
    near = getattr(error, "possibilities", None)
    if near and isinstance(error, click.NoSuchOption):
        # click compares the dashes too, so that anything is near.
        bare = {each.lstrip("-"): each for each in near}
        near = [bare[each] for each in get_close_matches(error.option_name.lstrip("-"), bare, cutoff=0.6)]
    # With suggestions, click's text holds them too; they belong into the hint.
    text = (error.message if hasattr(error, "possibilities") else error.format_message()).rstrip(".")
    ctx = getattr(error, "ctx", None)
    hint = None if ctx is None else f"see `{ctx.command_path} --help`"
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    return UsageError(text[:1].lower() + text[1:], hint=hint)


def _as_known(error: BaseException) -> DvtoolError:
    """Any error as one that can be shown."""
    if isinstance(error, DvtoolError):
        return error
    found: DvtoolError
    if isinstance(error, OSError):
        found = storage_error(error, "use", error.filename)
        if not error.filename:
            found = StorageError(f"the system refused: {error.strerror or error}", hint=found.hint)
    else:
        found = DvtoolError(f"{type(error).__name__}: {error}")
    found.__cause__ = error
    return found


def _bug(session: Session, argv: Sequence[str], error: Exception) -> DvtoolError:
    if isinstance(error, MemoryError):
        return DvtoolError("out of memory", hint="close other programs or use fewer jobs with -j, then run this again")
    from dvtool.cli.bugreport import write_report

    path = write_report(argv, error, session.environ)
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    if path is None:
        hint = "run it again with DVTOOL_TRACEBACK=1 to see where"
    else:
        hint = f"the details, without secrets, are in {path}: please attach that file to an issue"
    return DvtoolError(f"this is a bug in dvtool: {what}", hint=hint)


def _wants_traceback(session: Session) -> bool:
    return session.environ.get("DVTOOL_TRACEBACK", "") not in ("", "0")


def _hint(error: DvtoolError) -> str | None:
    if error.hint is not None:
        return error.hint
    return next((hint for cause in error.causes if (hint := _as_known(cause).hint)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    while error.__cause__ is not None:
        error = error.__cause__
        yield error


def _as_json(error: DvtoolError) -> dict[str, object]:
    return {
        "kind": error.kind,
        "message": safe(error.message),
        "path": None if error.path is None else os.fsencode(error.path),
        "hint": None if error.hint is None else safe(error.hint),
        "causes": [_as_json(_as_known(cause)) for cause in error.causes],
    }


def _indented(text: str) -> str:
    return safe(text).replace("\n", "\n  ")


def _close_stdout(session: Session) -> None:
    """Keep the interpreter from complaining, when it exits, that it cannot flush."""
    if session.out is sys.stdout and threading.current_thread() is threading.main_thread():
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)

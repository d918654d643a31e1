"""The entry point: one lazy table of verbs, one door for errors.

``dvtool --version`` and ``dvtool --help`` import no verb; ``--version`` not even click.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from typing import BinaryIO
from typing import TextIO

from dvtool import __version__
from dvtool.cli.exitcodes import INTERRUPTED
from dvtool.cli.exitcodes import TERMINATED

if TYPE_CHECKING:
    from dvtool.cli.session import Session

NAME = "dvtool"
COMPLETE_VARIABLE = "_DVTOOL_COMPLETE"
"""Set by the scripts of ``dvtool completion``: what the shell wants to know."""


def main() -> int:
    """Run the command line of this process and return its exit code."""
    argv = sys.argv[1:]
    if argv == ["--version"]:
        print(f"{NAME} {__version__}")
        return 0
    try:
        code = _process(argv)
    except KeyboardInterrupt:
        code = INTERRUPTED
        with suppress(OSError, ValueError):
            sys.stderr.write("interrupted: nothing is lost, the same command goes on from here\n")
            sys.stderr.flush()
    if code in (INTERRUPTED, TERMINATED):
        # The interpreter would wait for every worker thread, and one may hang in a request.
        os._exit(code)
    return code


def _process(argv: Sequence[str]) -> int:
    # Work here makes millions of small values and few cycles: at the default threshold the
    # collector took 5 to 10 % of an `add` of 100,000 files.
    gc.set_threshold(100_000, 20, 20)
    _fill_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is escaped instead of ending the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    from dvtool.cli.door import Terminated
    from dvtool.cli.door import hold_signals

    try:
        with hold_signals():
            return run(argv, sys.stdin.buffer, sys.stdout, sys.stderr, os.environ, _current_directory())
    except Terminated:
        return TERMINATED


def _fill_standard_streams() -> None:
    """Where a standard stream was closed, the next file opened would take its number, and its output."""
    fd = os.open(os.devnull, os.O_RDWR)
    while fd <= 2:
        fd = os.open(os.devnull, os.O_RDWR)
    os.close(fd)
    # Python has None for them, whatever their type says.
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _current_directory() -> bytes:
    try:
        return os.getcwdb()
    except OSError:
        # It was deleted. Nothing is found there, and the message names it as the shell does.
        return os.fsencode(os.environ.get("PWD") or "/")


def run(argv: Sequence[str], stdin: BinaryIO, out: TextIO, err: TextIO, environ: Mapping[str, str], cwd: bytes) -> int:
    """Carry out one command line in the world that is passed in; returns the exit code."""
    from dvtool.cli.door import guarded
    from dvtool.cli.session import Session

    session = Session(stdin, out, err, environ, cwd, argv)
    return guarded(session, argv, lambda: _dispatch(session, argv))


def _dispatch(session: Session, argv: Sequence[str]) -> int:
    from dvtool.cli.group import program

    instruction = session.environ.get(COMPLETE_VARIABLE)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(program, {"obj": session}, NAME, COMPLETE_VARIABLE, instruction)
    with program.make_context(NAME, list(argv), obj=session) as ctx:
        answer = program.invoke(ctx)
    return answer if isinstance(answer, int) else 0

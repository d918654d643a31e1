"""The entry point: one lazy table of verbs, one door for errors.

``dvtool --version`` and ``dvtool --help`` import no verb; ``--version`` not even click.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import BinaryIO
from typing import TextIO

from dvtool import __version__

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
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is escaped instead of ending the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    from dvtool.cli.door import Terminated
    from dvtool.cli.door import hold_signals
    from dvtool.cli.exitcodes import INTERRUPTED
    from dvtool.cli.exitcodes import TERMINATED

    try:
        with hold_signals():
            code = run(argv, sys.stdin.buffer, sys.stdout, sys.stderr, os.environ, os.getcwdb())
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Terminated:
        code = TERMINATED
    if code in (INTERRUPTED, TERMINATED):
        # The interpreter would wait for every worker thread, and one may hang in a request.
        os._exit(code)
    return code


def run(argv: Sequence[str], stdin: BinaryIO, out: TextIO, err: TextIO, environ: Mapping[str, str], cwd: bytes) -> int:
    """Carry out one command line in the world that is passed in; returns the exit code."""
    from dvtool.cli.door import guarded
    from dvtool.cli.session import Session

    session = Session(stdin, out, err, environ, cwd)
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

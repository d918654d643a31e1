"""``dvtool recover``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "recover",
    examples=(
        "dvtool recover                          # what there is",
        "dvtool recover data/notes.txt -o mine.txt",
        "dvtool recover 3f9a2c81 -o old-data",
        "dvtool recover --all /tmp/found",
    ),
)
@click.argument("what", required=False, type=PATH)
@click.option("-o", "--out", "output", type=PATH, metavar="PATH", help="Restore to PATH, not to where it stood.")
@click.option("--all", "into", type=PATH, metavar="DIR", help="Restore everything into the new directory DIR.")
@json_option
@click.pass_obj
def recover(session: Session, what: bytes | None, output: bytes | None, into: bytes | None, as_json: bool) -> None:
    """List or restore what the cache holds without a name.

    That is: your own files that `--force` replaced, versions that were added and never committed,
    and what a killed command stored. WHAT is a path from the list or a digest, shortened to 6
    digits or more. Nothing that stands anywhere is replaced.

    The list also names what else was left here: temporary files and notes of commands that were
    killed, damaged files that were set aside, what collections have put into the trash.
    """
    from dvtool.api.recover import RecoverRequest
    from dvtool.api.recover import raise_for
    from dvtool.api.recover import recover as run
    from dvtool.errors import UsageError
    from dvtool.ui.recovered import recoverable_lines
    from dvtool.ui.recovered import recovered_json
    from dvtool.ui.recovered import restored_lines

    if what is not None and into is not None:
        raise UsageError("either one object or --all", hint="dvtool recover --help")
    if output is not None and what is None:
        raise UsageError("-o needs to know what to restore", hint="dvtool recover DIGEST -o PATH")
    result = run(session.project(), RecoverRequest(what, output, into), session.reporter)
    if as_json:
        session.json("recover/1", recovered_json(result))
    elif what is None and into is None:
        session.lines(recoverable_lines(result))
    else:
        for line in restored_lines(result):
            session.summary(line)
    raise_for(result)

"""``dvtool check-ignore``"""

from __future__ import annotations

import click

from dvtool.cli.exitcodes import DONE
from dvtool.cli.exitcodes import FAILED
from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session
from dvtool.errors import UsageError


@verb(
    "check-ignore",
    examples=(
        "dvtool check-ignore data/tmp/x.log",
        "dvtool check-ignore -d data/*         # with the pattern that decides",
        "find data | dvtool check-ignore --stdin",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@click.option("-d", "--details", is_flag=True, help="Print file, line and pattern too.")
@click.option("-n", "--non-matching", is_flag=True, help="With --details: print paths that no pattern matches too.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read paths from standard input, one a line or NUL-ended.")
@json_option
@click.pass_obj
def check_ignore(
    session: Session,
    targets: tuple[bytes, ...],
    details: bool,
    non_matching: bool,
    from_stdin: bool,
    as_json: bool,
) -> int:
    """Say which paths `.dvtoolignore` makes dvtool pass over.

    Prints those of TARGETS that are ignored; they need not exist. Exit status 1 if none is. The
    patterns are those of .gitignore; a .dvtoolignore counts for its directory and all below.
    """
    from dvtool.api.check_ignore import check_ignore as run
    from dvtool.ui.ignored import ignore_lines

    if non_matching and not details:
        raise UsageError("--non-matching needs --details", hint="dvtool check-ignore -d -n TARGETS")
    if from_stdin == bool(targets):
        raise UsageError(
            "name paths or use --stdin, not both" if targets else "which paths?",
            hint="`dvtool check-ignore PATH ...`, or `--stdin` to read them",
        )
    if from_stdin:
        targets = session.read_paths()
    answers = run(session.project(), targets)
    if as_json:
        session.json("check-ignore/1", {"paths": answers})
    elif not session.quiet:
        session.lines(ignore_lines(answers, details=details, non_matching=non_matching))
    return DONE if any(answer.ignored for answer in answers) else FAILED

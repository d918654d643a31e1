"""``dvtool lint``"""

from __future__ import annotations

import click

from dvtool.cli.exitcodes import DONE
from dvtool.cli.exitcodes import FAILED
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb("lint", examples=("dvtool lint", "dvtool lint --json"))
@json_option
@click.pass_obj
def lint(session: Session, as_json: bool) -> int:
    """Check pointers, locks and pipelines, and what Git has of the data.

    Says all that is wrong at once, each with file and line: what cannot be read, paths that two files
    claim, stages that do not fit together, data that Git tracks or would take with `git add .`, and
    commands in which values from other files could do harm. Reads no data, starts nothing, needs no
    network. Exit status 1 where there is an error; warnings are advice.
    """
    from dvtool.api.lint import lint as run
    from dvtool.ui.lint import lint_json
    from dvtool.ui.lint import lint_lines

    result = run(session.project())
    if as_json:
        session.json("lint/1", lint_json(result))
    elif not (session.quiet and result.is_clean):
        session.lines(lint_lines(result, session.paint))
    return DONE if result.is_clean else FAILED

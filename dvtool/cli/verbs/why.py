"""``dvtool why``"""

from __future__ import annotations

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.options import complete_stage
from dvtool.cli.session import Session


@verb(
    "why",
    examples=(
        "dvtool why train",
        "dvtool why model.bin            # the stage that makes it",
        "dvtool why data/raw.csv         # the stages that read it",
        "dvtool why                      # all that is out of date",
    ),
)
@click.argument("targets", nargs=-1, shell_complete=complete_stage)
@json_option
@click.pass_obj
def why(session: Session, targets: tuple[str, ...], as_json: bool) -> None:
    """Show why stages would run, down to what was changed and by whom.

    Every chain of causes is followed to its end: a changed file, a parameter with its old and new
    value, a changed command. Where Git knows it, the commit and its author stand below.
    """
    from dvtool.api.why import WhyRequest
    from dvtool.api.why import why as run
    from dvtool.ui.why import why_json
    from dvtool.ui.why import why_lines

    result = run(session.project(), WhyRequest(targets), session.reporter)
    if as_json:
        session.json("why/1", why_json(result.explained, result.authors))
        return
    session.lines(why_lines(result.explained, result.authors, session.paint))
    if not result.explained:
        session.summary("Every stage is up to date.")

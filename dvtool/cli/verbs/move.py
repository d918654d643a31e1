"""``dvtool move``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "move",
    examples=(
        "dvtool move data raw            # data.dvt becomes raw.dvt",
        "dvtool move model.bin models/   # into another directory",
        "dvtool move data/a data/b       # inside a tracked directory",
    ),
)
@click.argument("source", type=PATH)
@click.argument("target", type=PATH)
@json_option
@click.pass_obj
def move(session: Session, source: bytes, target: bytes, as_json: bool) -> None:
    """Move or rename tracked data with its pointer.

    Nothing is copied, hashed again or replaced. Works in, into and out of tracked directories.
    """
    from dvtool.api.move import MoveRequest
    from dvtool.api.move import move as run
    from dvtool.ui.moved import moved_json
    from dvtool.ui.moved import moved_lines

    result = run(session.project(), MoveRequest(source, target), session.reporter)
    if as_json:
        session.json("move/1", moved_json(result))
        return
    for line in moved_lines(result):
        session.summary(line)

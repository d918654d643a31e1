"""``dvtool log``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "log",
    examples=(
        "dvtool log data/",
        "dvtool log data/labels.csv      # a file inside a tracked directory",
        "dvtool log -n 5 --rev v2 model.bin",
    ),
)
@click.argument("path", type=PATH)
@click.option("-n", "--number", "limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N versions.")
@click.option("--rev", default="HEAD", metavar="REV", help="Start at this revision instead of HEAD.")
@json_option
@click.pass_obj
def log(session: Session, path: bytes, limit: int | None, rev: str, as_json: bool) -> None:
    """List the versions of a tracked path, newest first.

    One line for each commit that changed it, through renames of its pointer; for a path inside a
    tracked directory, for each commit in which just that path changed. `dvtool diff COMMIT~ COMMIT`
    shows what a version changed.
    """
    from dvtool.api.log import LogRequest
    from dvtool.api.log import log as run
    from dvtool.api.log import raise_for
    from dvtool.ui.log import log_json
    from dvtool.ui.log import log_lines

    result = run(session.project(), LogRequest(path, rev, limit), session.reporter)
    if as_json:
        session.json("log/1", log_json(result))
    else:
        session.lines(log_lines(result, session.paint))
    raise_for(result)

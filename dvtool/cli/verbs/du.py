"""``dvtool du``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "du",
    examples=(
        "dvtool du",
        "dvtool du data/train data/test -r origin",
        "dvtool du --rev v1.0 --json",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@click.option("--rev", metavar="REV", help="At this revision instead of in the worktree.")
@click.option("-r", "--remote", metavar="NAME", help="What this remote stores, instead of the cache.")
@json_option
@click.pass_obj
def du(session: Session, targets: tuple[bytes, ...], rev: str | None, remote: str | None, as_json: bool) -> None:
    """Show how much room tracked data takes: its size, and what is stored for it.

    The size is the sum of the files. What is stored is less where content compresses, occurs twice,
    or shares pieces with another version. No data is fetched: sizes come from the listings, and with
    `-r` from the remote's indexes and recipes.
    """
    from dvtool.api.du import DuRequest
    from dvtool.api.du import du as run
    from dvtool.api.du import raise_for
    from dvtool.ui.usage import usage_json
    from dvtool.ui.usage import usage_lines

    result = run(session.project(), DuRequest(targets, rev, remote), session.reporter)
    if as_json:
        session.json("du/1", usage_json(result))
    else:
        session.lines(usage_lines(result, session.paint))
    raise_for(result)

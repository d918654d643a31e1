"""``dvtool op``"""

from __future__ import annotations

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb_group
from dvtool.cli.session import Session


@verb_group("op", examples=("dvtool op log",))
def op() -> None:
    """Show what dvtool changed here; `dvtool undo` takes it back."""


@op.command("log", examples=("dvtool op log", "dvtool op log -n 5", "dvtool op log --json"))
@click.option("-n", "--limit", type=click.IntRange(min=0), default=20, metavar="N", help="So many (20), 0 for all.")
@json_option
@click.pass_obj
def log(session: Session, limit: int, as_json: bool) -> None:
    """List the operations of this workspace, newest first.

    The last 1,000 of 90 days are kept. The number in front is what `dvtool undo --to` takes.
    """
    from dvtool.api.oplog import OpLogRequest
    from dvtool.api.oplog import op_log
    from dvtool.ui.operations import operation_lines
    from dvtool.ui.operations import operations_json

    views = op_log(session.project(), OpLogRequest(limit))
    if as_json:
        session.json("op-log/1", operations_json(views))
    else:
        session.lines(operation_lines(views))

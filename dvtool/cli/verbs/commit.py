"""``dvtool commit``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "commit",
    examples=(
        "dvtool commit && git commit -am 'data v2'",
        "dvtool commit data/labels       # part of a tracked directory",
        "dvtool commit train             # what a stage made and you changed",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@click.option("-f", "--force", is_flag=True, help="For scripts made for DVC: nothing is ever asked here.")
@json_option
@click.pass_obj
def commit(
    session: Session,
    targets: tuple[bytes, ...],
    force: bool,  # noqa: ARG001
    as_json: bool,
) -> None:
    """Record the present state of what is tracked already.

    The same as `dvtool add` for every tracked path that changed; outputs of stages are recorded in their locks.
    Pointers and locks change, Git's history does not.
    """
    from dvtool.api.commit import CommitRequest
    from dvtool.api.commit import commit as run
    from dvtool.ui.committed import committed_json
    from dvtool.ui.committed import committed_lines

    result = run(session.project(), CommitRequest(targets), session.reporter)
    if as_json:
        session.json("commit/1", committed_json(result))
        return
    for line in committed_lines(result):
        session.summary(line)

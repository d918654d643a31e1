"""``dvtool undo``"""

from __future__ import annotations

import time

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "undo",
    examples=(
        "dvtool undo                   # take the last operation back; once more: bring it back",
        "dvtool undo --dry-run",
        "dvtool op log                 # what there is to take back",
        "dvtool undo --to 12           # all that came after operation 12",
    ),
)
@click.option("--to", type=click.IntRange(min=0), metavar="ID", help="Take back all operations after this one.")
@click.option("-f", "--force", is_flag=True, help="Replace what was changed since, too; its bytes stay in the cache.")
@click.option("--dry-run", "--dry", is_flag=True, help="Only show what would be done.")
@json_option
@click.pass_obj
def undo(session: Session, to: int | None, force: bool, dry_run: bool, as_json: bool) -> None:
    """Take the last operation back.

    Pointers, ignore files, settings and files in the worktree become what they were before; only
    what the operation itself changed is touched. What was changed since stops it, unless you say
    `--force`. After `add` and `commit` your data stays as it stands. A push is not undone, and
    Git's commits are Git's: `git revert`. An undo is an operation too: the next undo takes it back.
    """
    from dvtool.api.undo import UndoRequest
    from dvtool.api.undo import raise_for
    from dvtool.api.undo import undo as run
    from dvtool.ui.operations import passed_notes
    from dvtool.ui.operations import undone_json
    from dvtool.ui.operations import undone_lines

    request = UndoRequest(to, force=force, dry_run=dry_run, now=time.time())
    result = run(session.project(), request, session.reporter)
    for note in passed_notes(result):
        session.note(note)
    if as_json:
        session.json("undo/1", undone_json(result))
    else:
        for line in undone_lines(result):
            session.summary(line)
    raise_for(result)

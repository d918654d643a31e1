"""``dvtool remove``"""

from __future__ import annotations

import time

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "remove",
    examples=(
        "dvtool remove data              # the files stay, Git sees them again",
        "dvtool remove model.bin.dvt",
        "dvtool remove --outs old-data   # the files go too",
        "dvtool remove train             # the stage; --outs: what it made too",
    ),
)
@click.argument("targets", nargs=-1, required=True, type=PATH)
@click.option("--outs", is_flag=True, help="Delete the data too, if the cache holds it unchanged.")
@click.option("-f", "--force", is_flag=True, help="With --outs: your changed files too; the cache keeps their bytes.")
@json_option
@click.pass_obj
def remove(session: Session, targets: tuple[bytes, ...], outs: bool, force: bool, as_json: bool) -> None:
    """Stop tracking files or directories.

    The pointer and its ignore line go, the data stays; the cache keeps the bytes of every version.
    A stage is taken out of its definition, whose comments and layout stay, and out of its lock.
    """
    from dvtool.api.remove import RemoveRequest
    from dvtool.api.remove import remove as run
    from dvtool.ui.removed import removed_json
    from dvtool.ui.removed import removed_lines

    request = RemoveRequest(targets, outs=outs, force=force, now=time.time())
    result = run(session.project(), request, session.reporter)
    if as_json:
        session.json("remove/1", removed_json(result))
        return
    for line in removed_lines(result, outs=outs):
        session.summary(line)

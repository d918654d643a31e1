"""``dvtool whereused``"""

from __future__ import annotations

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "whereused",
    examples=(
        "dvtool whereused 6613c8d55fc6",
        "dvtool whereused blake3:6613c8d55fc6 --json",
        'dvtool whereused "$(b3sum < found.bin | cut -c-64)"',
    ),
)
@click.argument("digest")
@json_option
@click.pass_obj
def whereused(session: Session, digest: str, as_json: bool) -> int | None:
    """Find the paths, commits, branches and tags that hold a digest.

    Searches the worktree's pointers and those of all branches, tags and stashes, also inside
    tracked directories. At least 8 hexadecimal digits are needed. The commits are those that
    brought the content to that path. Exits with 1 when it is used nowhere.
    """
    from dvtool.api.whereused import WhereUsedRequest
    from dvtool.api.whereused import raise_for
    from dvtool.api.whereused import whereused as run
    from dvtool.ui.counts import count
    from dvtool.ui.whereused import whereused_json
    from dvtool.ui.whereused import whereused_lines

    result = run(session.project(), WhereUsedRequest(digest), session.reporter)
    if as_json:
        session.json("whereused/1", whereused_json(result))
    elif result.uses or not result.unread:
        session.lines(whereused_lines(result, session.paint))
    raise_for(result)
    if result.unread:
        first = result.unread[0].error
        session.warn(f"{count(len(result.unread), 'directory', 'directories')} could not be searched", hint=first.hint)
    return None if result.uses else 1

"""``dvtool drop``"""

from __future__ import annotations

import time

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "drop",
    examples=(
        "dvtool drop data/raw                  # `dvtool pull data/raw` brings it back",
        "dvtool drop --dry-run data",
        "dvtool drop --min-copies 2 models     # only if two remotes hold all of it",
    ),
)
@click.argument("targets", nargs=-1, required=True, type=PATH)
@click.option("-r", "--remote", "remotes", multiple=True, metavar="NAME", help="A remote to ask; may be repeated.")
@click.option(
    "--min-copies",
    "copies",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="So many remotes must hold all of it; 1 unless given.",
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Requests at once.")
@click.option("--dry-run", "--dry", is_flag=True, help="Only ask the remotes and show what would be freed.")
@json_option
@click.pass_obj
def drop(
    session: Session,
    targets: tuple[bytes, ...],
    remotes: tuple[str, ...],
    copies: int,
    jobs: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Free the local space of tracked data, once a remote proves to have it.

    The files go from the worktree and their bytes from the cache; the pointer stays, so Git sees no
    change. What the remote holds is looked at, never believed. Changes of your own that no pointer
    names are never dropped, and bytes that other tracked paths, worktrees or repositories on a
    shared cache need stay in the cache.
    """
    from dvtool.api.drop import DropRequest
    from dvtool.api.drop import drop as run
    from dvtool.ui.dropped import dropped_json
    from dvtool.ui.dropped import dropped_lines

    request = DropRequest(targets, remotes, copies, jobs or 0, dry_run=dry_run, now=time.time())
    result = run(session.project(), request, session.reporter)
    if as_json:
        session.json("drop/1", dropped_json(result))
        return
    for line in dropped_lines(result):
        session.summary(line)

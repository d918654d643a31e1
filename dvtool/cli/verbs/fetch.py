"""``dvtool fetch``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session
from dvtool.cli.transfer_options import choice_options
from dvtool.cli.transfer_options import limits
from dvtool.cli.transfer_options import only
from dvtool.cli.transfer_options import transfer_options


@verb(
    "fetch",
    examples=(
        "dvtool fetch",
        "dvtool fetch data/images/cats",
        "dvtool fetch --all-tags",
        "dvtool fetch --type jpg --max-size 10M",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@transfer_options
@choice_options
@json_option
@click.pass_obj
def fetch(
    session: Session,
    targets: tuple[bytes, ...],
    remotes: tuple[str, ...],
    jobs: int | None,
    limit_rate: int | None,
    all_branches: bool,
    all_tags: bool,
    all_commits: bool,
    dry_run: bool,
    run_cache: bool | None,
    max_size: int | None,
    types: tuple[str, ...],
    as_json: bool,
) -> None:
    """Download into the cache what it lacks; the worktree stays as it is.

    Every byte is checked against its digest before it gets a name. What cannot be had does not
    stop the rest. With outputs of stages comes the knowledge of the runs that made them.
    """
    from dvtool.api.fetch import FetchRequest
    from dvtool.api.fetch import fetch as run
    from dvtool.api.fetch import raise_for
    from dvtool.project.transfers import Revisions
    from dvtool.ui.transfer import fetch_json
    from dvtool.ui.transfer import fetch_lines

    revisions = Revisions(all_branches, all_tags, all_commits)
    request = FetchRequest(targets, remotes, revisions, jobs or 0, dry_run, only(max_size, types), run_cache)
    result = run(session.project(limits(jobs, limit_rate)), request, session.reporter)
    if as_json:
        session.json("fetch/1", fetch_json(result, dry_run=dry_run))
    else:
        for line in fetch_lines(result, dry_run=dry_run):
            session.summary(line)
    raise_for(result)

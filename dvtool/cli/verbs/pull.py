"""``dvtool pull``"""

from __future__ import annotations

import time

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session
from dvtool.cli.transfer_options import transfer_options


@verb(
    "pull",
    examples=(
        "git clone URL repo && cd repo && dvtool pull",
        "dvtool pull data/images/cats     # only this part",
        "dvtool pull --allow-missing",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@transfer_options
@click.option("-f", "--force", is_flag=True, help="Replace your own changed files; their bytes stay in the cache.")
@click.option("--allow-missing", is_flag=True, help="What the remote does not hold is no failure.")
@json_option
@click.pass_obj
def pull(
    session: Session,
    targets: tuple[bytes, ...],
    remote: str | None,
    jobs: int | None,
    all_branches: bool,
    all_tags: bool,
    all_commits: bool,
    dry_run: bool,
    force: bool,
    allow_missing: bool,
    as_json: bool,
) -> None:
    """Download what the pointers name and put it into the worktree.

    Restores all that can be had and lists the rest by path (exit 4). Your own changed or
    untracked files are never replaced without `--force`.
    """
    from dvtool.api.checkout import CheckoutRequest
    from dvtool.api.fetch import FetchRequest
    from dvtool.api.pull import PullRequest
    from dvtool.api.pull import pull as run
    from dvtool.api.pull import raise_for
    from dvtool.project.transfers import Revisions
    from dvtool.ui.checkout import checkout_json
    from dvtool.ui.checkout import checkout_lines
    from dvtool.ui.transfer import fetch_json
    from dvtool.ui.transfer import fetch_lines

    project = session.project()
    revisions = Revisions(all_branches, all_tags, all_commits)
    request = PullRequest(
        FetchRequest(targets, remote, revisions, jobs or 0, dry_run),
        CheckoutRequest(targets, force=force, allow_missing=allow_missing, now=time.time()),
    )
    result = run(project, request, session.reporter)
    if as_json:
        checkout = None if result.checkout is None else checkout_json(result.checkout)
        session.json("pull/1", {"fetch": fetch_json(result.fetched, dry_run=dry_run), "checkout": checkout})
    else:
        for line in fetch_lines(result.fetched, dry_run=dry_run):
            session.summary(line)
        fetched = result.fetched
        told = {item.path for item in fetched.missing} | {item.path for item in fetched.damaged}
        if result.checkout is not None:
            for line in checkout_lines(result.checkout, () if allow_missing else told):
                session.summary(line)
    raise_for(result, request, project.config.remote(remote).name)

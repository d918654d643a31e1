"""``dvtool pull``"""

from __future__ import annotations

import time

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
    "pull",
    examples=(
        "git clone URL repo && cd repo && dvtool pull",
        "dvtool pull data/images/cats     # only this part",
        "dvtool pull train                # what stage train makes",
        "dvtool pull --allow-missing",
        "dvtool pull --max-size 50M --limit-rate 2M",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@transfer_options
@choice_options
@click.option("-f", "--force", is_flag=True, help="Replace your own changed files; their bytes stay in the cache.")
@click.option("--allow-missing", is_flag=True, help="What the remote does not hold is no failure.")
@json_option
@click.pass_obj
def pull(
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
    force: bool,
    allow_missing: bool,
    as_json: bool,
) -> None:
    """Download what the pointers name and put it into the worktree.

    Restores all that can be had and lists the rest by path (exit 4). Your own changed or
    untracked files are never replaced without `--force`. What --max-size and --type leave out comes
    with a later pull, or earlier where it travels in one pack with the rest.
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

    revisions = Revisions(all_branches, all_tags, all_commits)
    request = PullRequest(
        FetchRequest(targets, remotes, revisions, jobs or 0, dry_run, only(max_size, types), run_cache),
        CheckoutRequest(targets, force=force, allow_missing=allow_missing, now=time.time()),
    )
    result = run(session.project(limits(jobs, limit_rate)), request, session.reporter)
    if as_json:
        checkout = None if result.checkout is None else checkout_json(result.checkout)
        session.json("pull/1", {"fetch": fetch_json(result.fetched, dry_run=dry_run), "checkout": checkout})
    else:
        for line in fetch_lines(result.fetched, dry_run=dry_run):
            session.summary(line)
        fetched = result.fetched
        told = {item.path for item in fetched.missing} | {item.path for item in fetched.damaged}
        if result.checkout is not None:
            if fetched.left_out:
                told |= {left.path for left in result.checkout.missing}
            for line in checkout_lines(result.checkout, () if allow_missing else told):
                session.summary(line)
    raise_for(result, request)

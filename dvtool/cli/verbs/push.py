"""``dvtool push``"""

from __future__ import annotations

import time

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session
from dvtool.cli.transfer_options import limits
from dvtool.cli.transfer_options import transfer_options


@verb(
    "push",
    examples=(
        "dvtool push",
        "dvtool push data/images -r backup",
        "dvtool push --all-tags --dry-run",
        "dvtool push --verify",
        "dvtool push -r origin -r backup",
        "dvtool push --mirrors",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@transfer_options
@click.option("--mirrors", is_flag=True, help="Also to the mirrors of each remote.")
@click.option("--verify", is_flag=True, help="Read back and hash what was sent.")
@json_option
@click.pass_obj
def push(
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
    mirrors: bool,
    verify: bool,
    as_json: bool,
) -> None:
    """Upload to a remote what it does not hold.

    When it ends with 0, the remote can give back every byte that the pointers name: what is on
    the remote is looked at, never believed. Only what was asked for leaves this machine.

    Each tracked path goes to the remote that it belongs to: the one in its pointer, the one whose
    `paths` match it, or the default one. With -r only what may go there. Of several remotes each
    is reported, and one that fails does not stop the others.

    With outputs of stages goes the knowledge of the runs that made them, so that another clone
    restores what it would have to run. `--run-cache` sends all earlier runs with what they made.
    """
    from dvtool.api.push import PushRequest
    from dvtool.api.push import push as run
    from dvtool.api.push import raise_for
    from dvtool.project.transfers import Revisions
    from dvtool.ui.transfer import push_json
    from dvtool.ui.transfer import push_lines

    request = PushRequest(
        targets,
        remotes=remotes,
        mirrors=mirrors,
        revisions=Revisions(all_branches, all_tags, all_commits),
        jobs=jobs or 0,
        dry_run=dry_run,
        now=time.time(),
        verify=verify,
        run_cache=run_cache,
    )
    report = run(session.project(limits(jobs, limit_rate)), request, session.reporter)
    if as_json:
        session.json("push/1", push_json(report))
    else:
        for line in push_lines(report):
            session.summary(line)
    raise_for(report)

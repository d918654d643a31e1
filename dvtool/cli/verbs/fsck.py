"""``dvtool fsck``"""

from __future__ import annotations

import time

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "fsck",
    examples=(
        "dvtool fsck                             # is everything there, is every pack in order",
        "dvtool fsck --deep --repair             # read every byte, heal what is damaged",
        "dvtool fsck --remote origin --subset 2/7",
        "dvtool fsck --max-age 30d               # only what was not read for a month",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@click.option("-r", "--remote", metavar="NAME", help="Check this remote instead of the cache.")
@click.option("--deep", is_flag=True, help="Read and hash every byte.")
@click.option("--subset", metavar="PART", help="Read only a random share (5%), or a part in turn (2/7). Means --deep.")
@click.option(
    "--max-age", metavar="TIME", help="Read only what was not read within that time (30d, 12h). Means --deep."
)
@click.option("--repair", is_flag=True, help="Heal what can be healed, set the rest aside. No data is deleted.")
@click.option("-a", "--all-branches", is_flag=True, help="Also what all branches name.")
@click.option("-T", "--all-tags", is_flag=True, help="Also what all tags name.")
@click.option("-A", "--all-commits", is_flag=True, help="Also what every commit names.")
@click.option("--rev", "revs", multiple=True, metavar="REV", help="Also what this revision names; repeatable.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Requests to a remote at once.")
@json_option
@click.pass_obj
def fsck(
    session: Session,
    targets: tuple[bytes, ...],
    remote: str | None,
    deep: bool,
    subset: str | None,
    max_age: str | None,
    repair: bool,
    all_branches: bool,
    all_tags: bool,
    all_commits: bool,
    revs: tuple[str, ...],
    jobs: int | None,
    as_json: bool,
) -> None:
    """Check that the cache or a remote is sound and complete, and heal it.

    Sound: everything is what its name says. Complete: all that is needed is there. Needed is what
    the worktree's pointers, Git's index and HEAD name. Ends with 3 where something is damaged,
    with 4 where something is missing; notes alone end with 0.
    """
    from dvtool.api.fsck import FsckRequest
    from dvtool.api.fsck import fsck as run
    from dvtool.api.fsck import raise_for
    from dvtool.api.fsckscope import Scope
    from dvtool.project.transfers import Revisions
    from dvtool.store.fsck.choice import choice_of
    from dvtool.ui.fsck import fsck_json
    from dvtool.ui.fsck import fsck_lines

    choice = choice_of(deep=deep, subset=subset, max_age=max_age, now=time.time())
    scope = Scope(targets, revs, Revisions(all_branches, all_tags, all_commits))
    result = run(session.project(), FsckRequest(scope, remote, choice, repair, jobs or 0), session.reporter)
    if as_json:
        session.json("fsck/1", fsck_json(result))
    else:
        session.lines(fsck_lines(result, verbose=session.verbose))
    raise_for(result)

"""``dvtool gc``"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session

if TYPE_CHECKING:
    from dvtool.api.gc import GcResult


@verb(
    "gc",
    examples=(
        "dvtool gc --workspace --dry-run         # what would go if only the present state is kept",
        "dvtool gc --all-branches --all-tags     # keep what a branch or tag stands on",
        "dvtool gc -n 10 --grace 0 --force       # the last ten commits; also what is new; do not ask",
        "dvtool gc --all-commits --min-copies 2  # only what two remotes prove to have",
        "dvtool gc --cloud --all-branches        # on the default remote instead of in the cache",
    ),
)
@click.option("-w", "--workspace", is_flag=True, help="Keep what the worktree needs. Always kept; enough by itself.")
@click.option("-a", "--all-branches", is_flag=True, help="Keep what a local branch stands on.")
@click.option("-T", "--all-tags", is_flag=True, help="Keep what a tag stands on.")
@click.option("-A", "--all-commits", is_flag=True, help="Keep what any commit of any ref names.")
@click.option("--rev", "revs", multiple=True, metavar="REV", help="Keep this revision; repeatable.")
@click.option("-n", "--num", type=int, metavar="N", help="Keep the last N commits of each --rev or of HEAD; -1: all.")
@click.option("--date", metavar="DATE", help="Keep every commit made on or after this day: 2026-01-31.")
@click.option("--all-experiments", is_flag=True, help="Keep what experiments name.")
@click.option("--grace", metavar="DURATION", help="Keep what is younger: 12h, 14d; 0 takes all. Default: gc.grace, 1d.")
@click.option("--min-copies", type=click.IntRange(min=1), metavar="N", help="Only what N remotes prove to have.")
@click.option("-r", "--remote", "remotes", multiple=True, metavar="NAME", help="A remote to ask; repeatable.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Requests at once.")
@click.option("-c", "--cloud", is_flag=True, help="On a remote instead of in the cache: doom now, delete later.")
@click.option("--expire-unknown", metavar="DURATION", help="With --cloud: others' older pushes keep nothing: 90d.")
@click.option("--allow-missing", is_flag=True, help="A listing that is nowhere keeps nothing, instead of stopping all.")
@click.option("--no-trash", is_flag=True, help="Delete at once, and empty the trash.")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@click.option("--dry-run", "--dry", is_flag=True, help="Only show what would go.")
@json_option
@click.pass_obj
def gc(
    session: Session,
    workspace: bool,
    all_branches: bool,
    all_tags: bool,
    all_commits: bool,
    revs: tuple[str, ...],
    num: int | None,
    date: str | None,
    all_experiments: bool,
    grace: str | None,
    min_copies: int | None,
    remotes: tuple[str, ...],
    jobs: int | None,
    cloud: bool,
    expire_unknown: str | None,
    allow_missing: bool,
    no_trash: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> int | None:
    """Free the cache of what nothing that you keep needs.

    The options say what to keep; at least one of them is needed. Always kept: what the worktree,
    Git's index, stashes, HEAD and stopped merges name, in every linked worktree, and what other
    workspaces on a shared cache need. The rest goes to the trash, where `dvtool undo` finds it
    until it expires. If anything that says what is needed cannot be read, nothing is deleted.

    With --cloud a remote is collected instead. There everything that any repository has pushed is
    kept too, except this repository's own pushes of over 30 days ago for commits that you have and
    do not keep. What goes is doomed first, and deleted by a `gc --cloud` after the grace of 14 days;
    until then `dvtool undo` takes it back. --grace shortens all these times in proportion.
    """
    from dvtool.api.gc import GcRequest
    from dvtool.api.gc import gc as run
    from dvtool.errors import UsageError
    from dvtool.formats.durations import parse_duration
    from dvtool.project.keeping import KeepRules
    from dvtool.ui.gc import json_lines
    from dvtool.ui.gc import keep_line
    from dvtool.ui.gc import plan_lines
    from dvtool.ui.gc import summary_lines

    since = None if date is None else _since(date)
    rules = KeepRules(True, all_branches, all_tags, all_commits, revs, num or 0, since, all_experiments)
    is_said = workspace or rules.selects_commits
    if is_said and not (dry_run or force or session.stdin.isatty()):
        raise UsageError(
            "gc asks before it deletes, and there is nobody to ask",
            hint="--dry-run shows what would go, --force deletes it",
        )
    if cloud or expire_unknown is not None:
        if not cloud or min_copies or no_trash or allow_missing or len(remotes) > 1:
            raise UsageError(
                "--cloud takes one --remote and --expire-unknown, and goes without --min-copies, --no-trash and "
                "--allow-missing",
                hint="without --cloud it is the cache that is collected",
            )
        from dvtool.cli.gc_cloud import gc_cloud

        return gc_cloud(
            session,
            rules if is_said else None,
            remote=remotes[0] if remotes else None,
            grace=grace,
            expire_unknown=expire_unknown,
            jobs=jobs or 0,
            ask=not force,
            dry_run=dry_run,
            as_json=as_json,
        )
    request = GcRequest(
        rules if is_said else None,
        grace=None if grace is None else parse_duration(grace),
        trash=not no_trash,
        min_copies=min_copies or 0,
        remotes=remotes,
        jobs=jobs or 0,
        allow_missing=allow_missing,
        dry_run=dry_run,
        now=time.time(),
    )

    def confirm(result: GcResult) -> bool:
        if result.plan.is_empty and not result.expired:
            return True
        return session.ask("go on?", (keep_line(rules), *plan_lines(result), *summary_lines(result)))

    result = run(session.project(), request, session.reporter, None if force else confirm)
    if as_json:
        session.answered_json = True
        session.lines(json_lines(result))
    elif dry_run or not result.done or force or result.plan.is_empty:
        session.summary(keep_line(rules))
        session.lines(plan_lines(result))
    if not as_json:
        for line in summary_lines(result):
            session.summary(line)
    return 0 if result.done or dry_run else 1


def _since(text: str) -> float:
    """The beginning of a day, or a moment, in Unix seconds; local time unless it says otherwise."""
    from datetime import datetime

    from dvtool.errors import UsageError

    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise UsageError(f"{text!r} is not a date", hint="write it as 2026-01-31 or 2026-01-31T12:00") from None

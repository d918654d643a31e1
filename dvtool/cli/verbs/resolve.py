"""``dvtool resolve``"""

from __future__ import annotations

import time

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session
from dvtool.errors import UsageError


@verb(
    "resolve",
    examples=(
        "dvtool resolve                          # merge what Git could not, show what is left",
        "dvtool resolve --theirs data/img/7.png  # their file",
        "dvtool resolve --ours data              # ours, wherever both changed something in data",
        "dvtool resolve --theirs train           # their run of a stage",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@click.option("--ours", "side", flag_value="ours", help="Take what this branch has, at these paths or stages.")
@click.option("--theirs", "side", flag_value="theirs", help="Take what the branch that is merged in has.")
@click.option("--dry-run", "--dry", is_flag=True, help="Only show what would be done.")
@json_option
@click.pass_obj
def resolve(session: Session, targets: tuple[bytes, ...], side: str | None, dry_run: bool, as_json: bool) -> None:
    """Decide what both sides of a merge changed.

    Without a side, pointers and locks that Git left in conflict are merged by path and by stage,
    and what both sides changed is shown; everything else of both is there already. A file that
    you put in place and `dvtool add` decides, too. Where nothing is left, Git is told (`git add`).
    In a rebase, ours is what you rebase onto, as everywhere in Git.
    """
    from dvtool.api.resolve import ResolveRequest
    from dvtool.api.resolve import raise_for
    from dvtool.api.resolve import resolve as run
    from dvtool.ui.merged import resolved_json
    from dvtool.ui.merged import resolved_lines

    if targets and not side:
        raise UsageError("which side?", hint="--ours or --theirs; without paths, `dvtool resolve` shows what is open")
    if side and not targets:
        raise UsageError(f"--{side} for which paths or stages?", hint=f"dvtool resolve --{side} .   # for all")
    request = ResolveRequest(targets, side or "", dry_run, time.time())
    result = run(session.project(), request, session.reporter)
    if as_json:
        session.json("resolve/1", resolved_json(result))
    else:
        lines = resolved_lines(result, session.paint, whole=session.verbose, dry_run=dry_run)
        if not session.quiet or (result.left and not side):
            session.lines(lines)
    raise_for(result, request)

"""``dvtool checkout``"""

from __future__ import annotations

import time

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "checkout",
    examples=(
        "git checkout v1 && dvtool checkout     # v1's data, from the cache",
        "dvtool checkout data/images            # part of a tracked directory",
        "dvtool checkout --dry-run",
        "dvtool config cache.type hardlink && dvtool checkout --relink",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@click.option("-f", "--force", is_flag=True, help="Replace your own changed files; their bytes stay in the cache.")
@click.option("--relink", is_flag=True, help="Place large files anew with the link type of cache.type.")
@click.option("--allow-missing", is_flag=True, help="What the cache does not hold is no failure.")
@click.option("--dry-run", "--dry", is_flag=True, help="Only show what would be done.")
@json_option
@click.pass_obj
def checkout(
    session: Session,
    targets: tuple[bytes, ...],
    force: bool,
    relink: bool,
    allow_missing: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring the worktree to what the pointers say, from the cache.

    Git's rule holds: a file that you changed or that is not tracked is never overwritten or
    removed, unless you say `--force`; even then `dvtool recover` gets it back.
    """
    from dvtool.api.checkout import CheckoutRequest
    from dvtool.api.checkout import checkout as run
    from dvtool.api.checkout import raise_for
    from dvtool.ui.checkout import checkout_json
    from dvtool.ui.checkout import checkout_lines
    from dvtool.ui.checkout import plan_lines

    request = CheckoutRequest(
        targets,
        force=force,
        relink=relink,
        allow_missing=allow_missing,
        dry_run=dry_run,
        now=time.time(),
    )
    result = run(session.project(), request, session.reporter)
    if as_json:
        session.json("checkout/1", checkout_json(result))
    elif dry_run:
        session.lines(plan_lines(result, session.paint))
    else:
        for line in checkout_lines(result):
            session.summary(line)
    raise_for(result, request)

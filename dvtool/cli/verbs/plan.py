"""``dvtool plan``"""

from __future__ import annotations

from typing import Any

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session
from dvtool.cli.stage_options import stage_options


@verb(
    "plan",
    examples=(
        "dvtool plan",
        "dvtool plan train -v            # every reason",
        "dvtool plan --pull              # in a new clone: what would be fetched, what would run",
        "dvtool plan -o next.plan && dvtool apply next.plan",
        "dvtool plan -P --exit-code -q   # in CI: 0 if all is up to date, 1 if not",
    ),
)
@stage_options
@click.option("-o", "--out", type=PATH, metavar="FILE", help="Save the plan for `dvtool apply`.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 unless all is up to date.")
@json_option
@click.pass_obj
def plan(session: Session, asked: dict[str, Any], out: bytes | None, exit_code: bool, as_json: bool) -> int | None:
    """Show what `dvtool repro` would do, and why.

    Stage by stage: it runs; it may run, since it needs one that does and nobody knows yet what
    that one will make; it is restored from the cache; it is up to date. Nothing is started, so a
    dependency on a URL or on what a command prints is not looked at. The times are those of past
    runs on this machine.
    """
    from dvtool.api.plan import PlanRequest
    from dvtool.api.plan import plan as run
    from dvtool.ui.plan import plan_json
    from dvtool.ui.plan import plan_lines

    result = run(session.project(), PlanRequest(**asked), session.reporter, save=out)
    if as_json:
        session.json("plan/1", plan_json(result))
    elif not (session.quiet and exit_code):
        session.lines(plan_lines(result, session.paint, whole=session.verbose))
    return 1 if exit_code and not result.is_up_to_date else None

"""``dvtool runs``"""

from __future__ import annotations

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb_group
from dvtool.cli.session import Session
from dvtool.errors import UsageError


@verb_group("runs", examples=("dvtool runs list", "dvtool runs show 12 --logs train"))
def runs() -> None:
    """Show what runs of stages did: why each ran, how it ended, what it printed.

    The newest 100 runs of this workspace are kept, and 256 MiB of their logs.
    """


@runs.command("list", examples=("dvtool runs list", "dvtool runs list -n 5 --json"))
@click.option("-n", "--limit", type=click.IntRange(min=0), default=20, metavar="N", help="So many (20), 0 for all.")
@json_option
@click.pass_obj
def list_(session: Session, limit: int, as_json: bool) -> None:
    """List runs, newest first: number, time, how it ended, its stages, duration, command."""
    from dvtool.api.runs import runs_list
    from dvtool.ui.runs import run_lines
    from dvtool.ui.runs import runs_json

    found = runs_list(session.project(), limit)
    if as_json:
        session.json("runs-list/1", runs_json(found))
    else:
        session.lines(run_lines(found))


@runs.command(
    "show",
    examples=(
        "dvtool runs show                # the newest",
        "dvtool runs show 12",
        "dvtool runs show 12 --logs train",
    ),
)
@click.argument("run", type=click.IntRange(min=1), required=False, metavar="[RUN]")
@click.option("--logs", "stage", metavar="STAGE", help="Print what this stage printed, as it did.")
@json_option
@click.pass_obj
def show(session: Session, run: int | None, stage: str | None, as_json: bool) -> None:
    """Show one run with its stages; the newest without its number.

    For each stage that was not skipped: how it ended, how long its commands took, the most memory
    that one of its processes had, and why it was run.
    """
    from dvtool.api.runs import run_log
    from dvtool.api.runs import runs_show
    from dvtool.ui.runs import run_json
    from dvtool.ui.runs import show_lines

    found = runs_show(session.project(), run)
    if stage is not None:
        if as_json:
            raise UsageError("--logs and --json cannot go together", hint="choose one of them")
        session.raw(run_log(found, stage))
    elif as_json:
        session.json("runs-show/1", run_json(found))
    else:
        session.lines(show_lines(found, session.paint))

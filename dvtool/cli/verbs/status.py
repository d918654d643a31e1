"""``dvtool status``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "status",
    examples=(
        "dvtool status",
        "dvtool status data/ --json",
        "dvtool status train             # one stage",
        "dvtool status --exit-code -q    # in a script: 0 clean, 1 not",
        "dvtool status --cloud           # what is not on the remote yet",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@click.option("-c", "--cloud", is_flag=True, help="Also ask the remote what it does not hold.")
@click.option(
    "-r",
    "--remote",
    "remotes",
    multiple=True,
    metavar="NAME",
    help="The remote to ask, instead of the default one; may be repeated.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 when anything differs.")
@json_option
@click.pass_obj
def status(
    session: Session, targets: tuple[bytes, ...], cloud: bool, remotes: tuple[str, ...], exit_code: bool, as_json: bool
) -> int | None:
    """Show what differs: worktree, pointers, last commit.

    Compares the files with the pointers (`dvtool add` takes changes over) and the pointers with
    the last commit (`git commit` records them), and stages with what their last runs have read and
    written (`dvtool repro` runs them). Only files that changed since the last look are read, and
    nothing is started. Targets are tracked paths, directories or stages.
    Many lines are folded into one for each directory; `-v` shows every file.
    """
    from dvtool.api.status import StatusRequest
    from dvtool.api.status import status as run
    from dvtool.ui.status import status_lines

    request = StatusRequest(targets, cloud=cloud or bool(remotes), remotes=remotes)
    result = run(session.project(), request, session.reporter)
    if as_json:
        session.json("status/1", result)
    elif not (session.quiet and exit_code):
        session.lines(status_lines(result, session.paint, whole=session.verbose))
    if result.stages_error is not None:
        raise result.stages_error
    return 1 if exit_code and not result.is_clean else None

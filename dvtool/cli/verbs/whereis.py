"""``dvtool whereis``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.options import complete_remote
from dvtool.cli.session import Session


@verb(
    "whereis",
    examples=(
        "dvtool whereis data",
        "dvtool whereis --check data/images/cats    # ask the remotes now",
        "dvtool whereis --check -r backup model.bin --json",
    ),
)
@click.argument("targets", nargs=-1, required=True, type=PATH)
@click.option("-c", "--check", is_flag=True, help="Ask the remotes; without it only notes of this clone are read.")
@click.option(
    "-r",
    "--remote",
    "remotes",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_remote,
    help="Look at this remote only; may be repeated.",
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Requests at once.")
@json_option
@click.pass_obj
def whereis(
    session: Session,
    targets: tuple[bytes, ...],
    check: bool,
    remotes: tuple[str, ...],
    jobs: int | None,
    as_json: bool,
) -> int | None:
    """Say which remotes, and the cache, hold tracked data.

    With `--check` each remote is asked for every object, as `dvtool drop` does before it frees
    anything; a remote that does not answer is told of and does not stop the rest. Where no remote
    holds all of a path, it says who pushed it last and who recorded it. Exits with 1 where some
    path is whole nowhere that was looked at.
    """
    from dvtool.api.whereis import WhereIsRequest
    from dvtool.api.whereis import whereis as run
    from dvtool.ui.whereis import whereis_json
    from dvtool.ui.whereis import whereis_lines

    result = run(session.project(), WhereIsRequest(targets, remotes, check, jobs or 0), session.reporter)
    if as_json:
        session.json("whereis/1", whereis_json(result))
    else:
        session.lines(whereis_lines(result, session.paint))
    return None if all(any(place.state == "all" for place in one.places) for one in result.paths) else 1

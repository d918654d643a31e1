"""``dvtool doctor``"""

from __future__ import annotations

import click

from dvtool.cli.exitcodes import DONE
from dvtool.cli.exitcodes import FAILED
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "doctor",
    examples=(
        "dvtool doctor",
        "dvtool doctor --remote     # contacts the remotes too",
        "dvtool doctor --rebuild    # makes the cache's index and the workspace's memo anew",
    ),
)
@click.option("--remote", "remotes", is_flag=True, help="Contact every configured remote too.")
@click.option("--rebuild", is_flag=True, help="First make the cache's index and the workspace's memo anew.")
@json_option
@click.pass_obj
def doctor(session: Session, remotes: bool, rebuild: bool, as_json: bool) -> int:
    """Look for what may stand in the way.

    Checks Python and Git, the project and its settings, the cache and what its file system can do.
    Exit status 1 if there is a problem.
    """
    from dvtool.api.doctor import DoctorRequest
    from dvtool.api.doctor import doctor as run
    from dvtool.ui.checks import check_lines
    from dvtool.ui.rebuilt import rebuilt_json
    from dvtool.ui.rebuilt import rebuilt_lines

    rebuilt = None
    if rebuild:
        from dvtool.api.rebuild import rebuild as run_rebuild

        rebuilt = run_rebuild(session.project(), session.reporter)
    result = run(session.environment, DoctorRequest(remotes=remotes), session.reporter)
    if as_json:
        session.json("doctor/1", {"healthy": result.healthy, "checks": result.checks, "rebuilt": rebuilt_json(rebuilt)})
    else:
        if rebuilt is not None:
            for line in rebuilt_lines(rebuilt):
                session.summary(line)
        for line in check_lines(result.checks, session.paint, quiet=session.quiet):
            session.lines((line,))
    return DONE if result.healthy else FAILED

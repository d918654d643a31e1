"""``dvtool apply``"""

from __future__ import annotations

import time

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb("apply", examples=("dvtool plan -o next.plan", "dvtool apply next.plan", "dvtool apply -j 4 next.plan"))
@click.argument("plan", type=PATH, metavar="FILE")
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=1, help="So many stages at once at most.")
@click.option("-k", "--keep-going", is_flag=True, help="After a failure, run what does not need the failed stage.")
@json_option
@click.pass_obj
def apply(session: Session, plan: bytes, jobs: int, keep_going: bool, as_json: bool) -> None:
    """Run a plan that `dvtool plan -o` saved.

    Refuses, with exit code 2, if anything that the plan was made from has changed since: a
    definition, a lock, an input or an output. What may run is decided when its turn comes.
    """
    from dvtool.api.apply import ApplyRequest
    from dvtool.api.apply import apply as run
    from dvtool.api.apply import raise_for
    from dvtool.cli.running import narrator
    from dvtool.cli.running import warn_of_visible
    from dvtool.ui.repro import repro_json
    from dvtool.ui.repro import result_lines

    request = ApplyRequest(plan, jobs, keep_going=keep_going, now=time.time())
    result = run(session.project(), request, narrator(session, as_json=as_json, jobs=jobs), session.reporter)
    warn_of_visible(session, result)
    if as_json:
        session.json("apply/1", repro_json(result))
    else:
        for line in result_lines(result):
            session.summary(line)
    raise_for(result)

"""``dvtool resume``"""

from __future__ import annotations

import time

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "resume",
    examples=(
        "dvtool resume                   # the newest run",
        "dvtool resume 12",
        "dvtool resume --from train      # that stage and all that needs it, in any case",
    ),
)
@click.argument("run", type=click.IntRange(min=1), required=False, metavar="[RUN]")
@click.option("--from", "start", metavar="STAGE", help="Run this stage again, and all that needs it.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="So many stages at once at most.")
@json_option
@click.pass_obj
def resume(session: Session, run: int | None, start: str | None, jobs: int | None, as_json: bool) -> None:
    """Go on with a run that failed or was interrupted.

    Asks for the same again, from where that run was started. Stages that ended well are skipped, for
    nothing of them changed; what you have changed since counts. `dvtool runs list` shows the runs.
    """
    from dvtool.api.resume import ResumeRequest
    from dvtool.api.resume import raise_for
    from dvtool.api.resume import resume as carry_on
    from dvtool.api.resume import run_to_resume
    from dvtool.cli.running import narrator
    from dvtool.cli.running import warn_of_visible
    from dvtool.ui.repro import repro_json
    from dvtool.ui.repro import result_lines

    project = session.project()
    request = ResumeRequest(run, start, jobs, now=time.time())
    meant = run_to_resume(project, request)
    asked = meant.record.request.get("jobs") if meant.record is not None else 1
    session.note(f"going on with run {meant.id}")
    tell = narrator(session, as_json=as_json, jobs=jobs or (asked if isinstance(asked, int) else 1))
    result = carry_on(project, request, tell, session.reporter).repro
    warn_of_visible(session, result)
    if as_json:
        session.json("resume/1", {"resumed": meant.id, **repro_json(result)})
    else:
        for line in result_lines(result):
            session.summary(line)
    raise_for(result)

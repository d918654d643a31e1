"""``dvtool update``"""

from __future__ import annotations

import time

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "update",
    examples=(
        "dvtool update",
        "dvtool update images",
        "dvtool update --rev v2 rows.csv",
        "dvtool update --dry-run",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@click.option("--rev", metavar="REV", help="Take this branch, tag or commit of the source from now on.")
@click.option("-R", "--recursive", is_flag=True, hidden=True, help="For fingers used to DVC: directories always count.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Requests at once.")
@click.option("-f", "--force", is_flag=True, help="Replace what was changed here.")
@click.option("--no-download", is_flag=True, help="Write the pointers alone; `dvtool pull` brings the data.")
@click.option("--dry-run", "--dry", is_flag=True, help="Only say what has an update.")
@json_option
@click.pass_obj
def update(
    session: Session,
    targets: tuple[bytes, ...],
    rev: str | None,
    recursive: bool,  # noqa: ARG001 - accepted
    jobs: int | None,
    force: bool,
    no_download: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring imported data to what its source has now.

    Without targets: all that is imported. Only what changed there is downloaded. An import of a tag or a commit stays
    what it is until `--rev` names another one.
    """
    from dvtool.api.updating import UpdateRequest
    from dvtool.api.updating import raise_for_update
    from dvtool.api.updating import update as run
    from dvtool.cli.transfer_options import limits
    from dvtool.ui.sources import updated_json
    from dvtool.ui.sources import updated_lines

    request = UpdateRequest(targets, rev, jobs or 0, force, data=not no_download, dry_run=dry_run, now=time.time())
    result = run(session.project(limits(jobs, None)), request, session.reporter)
    if as_json:
        session.json("update/1", updated_json(result))
    else:
        for line in updated_lines(result, dry_run=dry_run):
            session.summary(line)
    raise_for_update(result)

"""``dvtool get-url``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "get-url",
    examples=(
        "dvtool get-url https://data.example.org/rows.csv",
        "dvtool get-url s3://bucket/path/images",
        "dvtool get-url remote://NAME/path/rows.csv",
    ),
)
@click.argument("url")
@click.argument("output", required=False, type=PATH, metavar="[OUT]")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Requests at once.")
@click.option("-f", "--force", is_flag=True, help="Replace what is at the place that it goes to.")
@json_option
@click.pass_obj
def get_url(session: Session, url: str, output: bytes | None, jobs: int | None, force: bool, as_json: bool) -> None:
    """Download a file or directory of a server.

    URL is what a remote may be (https, s3, gs, az, ssh, ...), with the name of a file or directory behind it, or a
    path; web servers have no directories. No project is needed, but for `remote://NAME/...`, which lies below a
    configured remote.
    """
    from dvtool.api.importurl import GetUrlRequest
    from dvtool.api.importurl import get_url as run
    from dvtool.project.fromurl import REMOTE
    from dvtool.ui.sources import got_json
    from dvtool.ui.sources import got_lines

    project = session.project() if url.startswith(REMOTE) else None
    result = run(session.environment, project, GetUrlRequest(url, output, force, jobs or 0), session.reporter)
    if as_json:
        session.json("get-url/1", got_json(result))
    else:
        for line in got_lines(result, session.cwd):
            session.summary(line)

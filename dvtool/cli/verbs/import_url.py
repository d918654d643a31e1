"""``dvtool import-url``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "import-url",
    examples=(
        "dvtool import-url https://data.example.org/rows.csv",
        "dvtool import-url s3://bucket/path/images",
        "dvtool import-url remote://NAME/path/rows.csv",
    ),
)
@click.argument("url")
@click.argument("output", required=False, type=PATH, metavar="[OUT]")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Requests at once.")
@click.option("-f", "--force", is_flag=True, help="Replace what is at the place that it goes to.")
@json_option
@click.pass_obj
def import_url(session: Session, url: str, output: bytes | None, jobs: int | None, force: bool, as_json: bool) -> None:
    """Track a file or directory of a server, and where it came from.

    URL is what a remote may be (https, s3, gs, az, ssh, ...), with the name of a file or directory behind it, or a
    path; web servers have no directories. `dvtool update` asks for the entity tags and downloads what changed. `dvtool
    push` sends the data like any other, for a URL may give something else one day.
    """
    import time

    from dvtool.api.importurl import ImportUrlRequest
    from dvtool.api.importurl import import_url as run
    from dvtool.ui.sources import imported_json
    from dvtool.ui.sources import imported_lines

    request = ImportUrlRequest(url, output, force, time.time(), jobs or 0)
    result = run(session.project(), request, session.reporter)
    if as_json:
        session.json("import-url/1", imported_json(result))
    else:
        for line in imported_lines(result):
            session.summary(line)

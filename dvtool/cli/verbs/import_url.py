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
        "dvtool import-url s3://bucket/path/model.pt models/",
        "dvtool import-url remote://NAME/path/rows.csv",
    ),
)
@click.argument("url")
@click.argument("output", required=False, type=PATH, metavar="[OUT]")
@click.option("-f", "--force", is_flag=True, help="Replace what is at the place that it goes to.")
@json_option
@click.pass_obj
def import_url(session: Session, url: str, output: bytes | None, force: bool, as_json: bool) -> None:
    """Track a file of a server, and where it came from.

    URL is what a remote may be (https, s3, gs, az, ssh, ...), with the name of a file behind it, or a path.
    `dvtool update` asks for the entity tag and downloads what changed. `dvtool push` sends the data like any other,
    for a URL may give something else one day.
    """
    import time

    from dvtool.api.importurl import ImportUrlRequest
    from dvtool.api.importurl import import_url as run
    from dvtool.ui.sources import imported_json
    from dvtool.ui.sources import imported_lines

    result = run(session.project(), ImportUrlRequest(url, output, force, time.time()), session.reporter)
    if as_json:
        session.json("import-url/1", imported_json(result))
    else:
        for line in imported_lines(result):
            session.summary(line)

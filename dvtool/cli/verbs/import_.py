"""``dvtool import``"""

from __future__ import annotations

import time

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "import",
    examples=(
        "dvtool import https://git.example.org/data/registry.git images/cats",
        "dvtool import --rev v1.2 git@git.example.org:data/registry.git rows.csv -o data/rows.csv",
        "dvtool import ../registry models/best.pt",
    ),
)
@click.argument("url")
@click.argument("path", type=PATH)
@click.option("-o", "--out", "output", type=PATH, metavar="PATH", help="Where it goes; default: here, by its name.")
@click.option("--rev", metavar="REV", help="A branch, tag or commit of that repository; default: its default branch.")
@click.option("-r", "--remote", metavar="NAME", help="Which of its remotes; default: as its settings say.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Requests at once.")
@click.option("-f", "--force", is_flag=True, help="Replace what is at the place that it goes to.")
@click.option("--no-download", is_flag=True, help="Write the pointer alone; `dvtool pull` brings the data.")
@click.option("--no-exec", "no_download", is_flag=True, hidden=True, help="The same, for fingers used to DVC.")
@json_option
@click.pass_obj
def import_(
    session: Session,
    url: str,
    path: bytes,
    output: bytes | None,
    rev: str | None,
    remote: str | None,
    jobs: int | None,
    force: bool,
    no_download: bool,
    as_json: bool,
) -> None:
    """Track data of another repository, and where it came from.

    URL is what `git clone` takes, or a directory. The pointer holds the URL, the commit and the path; the data stays
    with that repository: `push` leaves it out, `fetch` and `pull` read it there, and `dvtool update` brings a newer
    version.
    """
    from dvtool.api.importing import ImportRequest
    from dvtool.api.importing import import_data
    from dvtool.ui.sources import imported_json
    from dvtool.ui.sources import imported_lines

    request = ImportRequest(url, path, output, rev, remote, jobs or 0, force, data=not no_download, now=time.time())
    result = import_data(session.project(), request, session.reporter)
    if as_json:
        session.json("import/1", imported_json(result))
    else:
        for line in imported_lines(result):
            session.summary(line)

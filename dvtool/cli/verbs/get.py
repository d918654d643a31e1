"""``dvtool get``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "get",
    examples=(
        "dvtool get https://git.example.org/data/registry.git images/cats",
        "dvtool get --rev v1.2 git@git.example.org:data/registry.git rows.csv -o old.csv",
        "dvtool get ../registry models/best.pt",
    ),
)
@click.argument("url")
@click.argument("path", type=PATH)
@click.option("-o", "--out", "output", type=PATH, metavar="PATH", help="Where it goes; default: here, by its name.")
@click.option("--rev", metavar="REV", help="A branch, tag or commit of that repository; default: its default branch.")
@click.option("-r", "--remote", metavar="NAME", help="Which of its remotes; default: as its settings say.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Requests at once.")
@click.option("-f", "--force", is_flag=True, help="Replace what is at the place that it goes to.")
@json_option
@click.pass_obj
def get(
    session: Session,
    url: str,
    path: bytes,
    output: bytes | None,
    rev: str | None,
    remote: str | None,
    jobs: int | None,
    force: bool,
    as_json: bool,
) -> None:
    """Download a file or directory from another repository.

    URL is what `git clone` takes, or a directory. What dvtool or DVC tracks there comes from that repository's own
    remotes, with your credentials; what Git tracks comes from Git. Nothing is tracked here: `dvtool import` does that.
    """
    from dvtool.api.get import GetRequest
    from dvtool.api.get import get as run
    from dvtool.ui.sources import got_json
    from dvtool.ui.sources import got_lines

    request = GetRequest(url, path, output, rev, remote, jobs or 0, force)
    result = run(session.environment, request, session.reporter)
    if as_json:
        session.json("get/1", got_json(result))
    else:
        for line in got_lines(result, session.cwd):
            session.summary(line)

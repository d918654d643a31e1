"""``dvtool remote cleanup``"""

from __future__ import annotations

import time

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.options import complete_remote
from dvtool.cli.session import Session


@verb(
    "cleanup",
    examples=(
        "dvtool remote cleanup --dry-run origin",
        "dvtool remote cleanup origin --older-than 7d",
    ),
)
@click.argument("name", required=False, shell_complete=complete_remote)
@click.option(
    "--older-than", default="1d", metavar="DURATION", help="What began so long ago, such as 12h or 7d (default 1d)."
)
@click.option("--dry-run", "--dry", is_flag=True, help="Only show what would go.")
@json_option
@click.pass_obj
def cleanup(session: Session, name: str | None, older_than: str, dry_run: bool, as_json: bool) -> None:
    """Remove what uploads have left that did not end.

    A process that is killed while it uploads leaves parts on an S3 server, which cost money and
    which no listing shows, and files below tmp/ in a directory. No object is touched: for those
    that nothing needs any more there is `dvtool gc --cloud`.
    """
    from dvtool.api.remote_cleanup import CleanupRequest
    from dvtool.api.remote_cleanup import remote_cleanup
    from dvtool.formats.durations import parse_duration
    from dvtool.ui.cleanup import cleanup_json
    from dvtool.ui.cleanup import cleanup_lines

    request = CleanupRequest(name, parse_duration(older_than), dry_run, time.time())
    report = remote_cleanup(session.project(), request, session.reporter)
    if as_json:
        session.json("remote-cleanup/1", cleanup_json(report, dry_run=dry_run))
        return
    for line in cleanup_lines(report, dry_run=dry_run):
        session.summary(line)

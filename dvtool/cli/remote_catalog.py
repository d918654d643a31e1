"""``dvtool remote catalog``"""

from __future__ import annotations

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.options import complete_remote
from dvtool.cli.session import Session


@verb("catalog", examples=("dvtool remote catalog origin", "dvtool remote catalog --remove origin"))
@click.argument("name", required=False, shell_complete=complete_remote)
@click.option("--remove", is_flag=True, help="Take the catalog away again.")
@json_option
@click.pass_obj
def catalog(session: Session, name: str | None, remove: bool, as_json: bool) -> None:
    """Let others read a remote through a plain web server.

    A web server gives what one knows the name of, and lists nothing. This writes the names that a
    reader must know, once, under index/catalog, where NAME can be written (a bucket, a directory,
    SSH). After that each push, by whomever, brings them up to date, at the price of some requests.
    """
    from dvtool.api.remote_catalog import remote_catalog

    report = remote_catalog(session.project(), name, remove=remove)
    if as_json:
        session.json("remote-catalog/1", report)
    elif remove:
        session.summary(f"remote {report.remote}: no catalog any more")
    else:
        session.summary(f"remote {report.remote}: {report.url} can be read without a listing now")
        session.summary("next: dvtool remote add NAME https://HOST/DIRECTORY")

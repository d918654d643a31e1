"""``dvtool remote login``"""

from __future__ import annotations

import os

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.options import complete_remote
from dvtool.cli.session import Session
from dvtool.errors import Locked

PATIENCE = 300.0
"""Seconds for the user to agree in the browser."""


@verb(
    "login",
    examples=(
        "dvtool remote login --client client_secret.json origin",
        "dvtool remote login --paste origin    # the browser is on another machine",
    ),
)
@click.argument("name", required=False, shell_complete=complete_remote)
@click.option(
    "--client",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Your OAuth client: the JSON file from Google's console. Needed once.",
)
@click.option("--paste", is_flag=True, help="Open no browser; read the address that it ends at.")
@json_option
@click.pass_obj
def login(session: Session, name: str | None, client: str | None, paste: bool, as_json: bool) -> None:
    """Sign in to Google Drive.

    Opens a page of Google in the browser; after you agree, the sign-in is kept in your own configuration, mode
    0600, for every project that uses the same client. With `--paste`, open the page anywhere: the browser ends at
    an address of its own machine that shows nothing; paste that address here.
    """
    from dvtool.api.remote_login import remote_sign_in
    from dvtool.api.remote_login import remote_signed_in

    project = session.project()
    with remote_sign_in(project, name, None if client is None else os.fsencode(client)) as attempt:
        session.reporter.print("open this page and agree:")
        session.reporter.print(attempt.page)
        if paste:
            session.reporter.print("then paste the address at which the browser ended:")
            answer: str | None = session.stdin.readline(1 << 14).decode("utf-8", "replace")
        else:
            import webbrowser

            webbrowser.open(attempt.page)
            answer = attempt.wait(PATIENCE)
        if answer is None:
            raise Locked(f"nobody agreed within {PATIENCE:.0f} seconds", hint="`dvtool remote login --paste` can wait")
        path = remote_signed_in(project, attempt, answer)
    if as_json:
        session.json("remote-login/1", {"name": attempt.remote, "path": path})
    else:
        session.summary(f"signed in to {attempt.remote}; kept in {path}")

"""``dvtool remote test``"""

from __future__ import annotations

import time

import click

from dvtool.cli.exitcodes import DONE
from dvtool.cli.exitcodes import FAILED
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.options import complete_remote
from dvtool.cli.session import Session

MIB = 1 << 20


@verb(
    "test",
    examples=(
        "dvtool remote test origin",
        "dvtool remote test --size 200 --keys 3000 origin",
    ),
)
@click.argument("name", required=False, shell_complete=complete_remote)
@click.option("--size", type=click.IntRange(1, 4096), default=20, metavar="MIB", help="Size of a large value: 20.")
@click.option(
    "--keys",
    type=click.IntRange(10, 100_000),
    metavar="N",
    help="Keys in the long listing; without, 3000 or what can be written in a minute.",
)
@json_option
@click.pass_obj
def test(session: Session, name: str | None, size: int, keys: int | None, as_json: bool) -> int:
    """Try out what a remote can do, and how fast.

    Runs the checks that every kind of remote must pass against this very server: values whole and in
    parts, listings, races, uploads that are killed. It works below selftest/ and leaves nothing
    there; your data is not touched. It sends and receives some hundred megabytes. Exit status 1 if a check
    fails.
    """
    from dvtool.api.remote_test import RemoteTestRequest
    from dvtool.api.remote_test import remote_test
    from dvtool.ui.trial import trial_json
    from dvtool.ui.trial import trial_lines

    request = RemoteTestRequest(time.monotonic, name, size * MIB, keys)
    trial = remote_test(session.project(), request, session.reporter)
    if as_json:
        session.json("remote-test/1", trial_json(trial))
    else:
        for line in trial_lines(trial, session.paint, verbose=session.verbose):
            session.lines((line,))
    return FAILED if trial.fails else DONE

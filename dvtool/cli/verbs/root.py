"""``dvtool root``"""

from __future__ import annotations

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb("root", examples=("dvtool root", 'cd "$(dvtool root)"'))
@json_option
@click.pass_obj
def root(session: Session, as_json: bool) -> None:
    """Print the top directory of the dvtool project."""
    from dvtool.api.root import root as run

    result = run(session.environment)
    if as_json:
        session.json("root/1", result)
    else:
        session.path(result.root)

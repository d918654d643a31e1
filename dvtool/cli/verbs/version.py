"""``dvtool version``"""

from __future__ import annotations

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb("version", examples=("dvtool version", "dvtool version --json"))
@json_option
@click.pass_obj
def version(session: Session, as_json: bool) -> None:
    """Print the versions of dvtool and of what it stands on.

    Put its output into every bug report. `dvtool --version` prints the version of dvtool alone.
    """
    from dvtool.api.version import version as run
    from dvtool.ui.tables import table

    result = run(session.environment)
    if as_json:
        session.json("version/1", result)
        return
    rows = [
        ("dvtool", result.dvtool),
        (result.implementation, result.python),
        ("platform", result.platform),
        ("git", result.git or "not found"),
    ]
    rows += [(name, text or "not installed") for name, text in result.libraries.items()]
    for line in table(rows):
        session.line(line)

"""``dvtool unprotect``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb("unprotect", examples=("dvtool unprotect data/labels.csv", "dvtool unprotect data"))
@click.argument("targets", nargs=-1, required=True, type=PATH)
@json_option
@click.pass_obj
def unprotect(session: Session, targets: tuple[bytes, ...], as_json: bool) -> None:
    """Make files that are linked to the cache private and writable.

    Needed with `cache.type` hardlink or symlink only: such files are read-only and share their
    bytes with the cache. Each becomes a verified copy; run `dvtool add` after editing.
    """
    from dvtool.api.unprotect import UnprotectRequest
    from dvtool.api.unprotect import raise_for
    from dvtool.api.unprotect import unprotect as run
    from dvtool.ui.unprotected import unprotected_json
    from dvtool.ui.unprotected import unprotected_lines

    result = run(session.project(), UnprotectRequest(targets), session.reporter)
    if as_json:
        session.json("unprotect/1", unprotected_json(result))
    else:
        for line in unprotected_lines(result):
            session.summary(line)
    raise_for(result)

"""``dvtool freeze`` and ``dvtool unfreeze``"""

from __future__ import annotations

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.options import complete_stage
from dvtool.cli.session import Session


@verb("freeze", examples=("dvtool freeze prepare", "dvtool freeze models/dvtool.yaml:train"))
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_stage)
@json_option
@click.pass_obj
def freeze(session: Session, targets: tuple[str, ...], as_json: bool) -> None:
    """Keep stages from running, whatever they depend on.

    Writes `frozen: true` into the definition, whose comments and layout stay. What `foreach` or
    `matrix` makes is frozen as a whole.
    """
    _run(session, targets, frozen=True, as_json=as_json)


@verb("unfreeze", examples=("dvtool unfreeze prepare",))
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_stage)
@json_option
@click.pass_obj
def unfreeze(session: Session, targets: tuple[str, ...], as_json: bool) -> None:
    """Let stages run again that were frozen."""
    _run(session, targets, frozen=False, as_json=as_json)


def _run(session: Session, targets: tuple[str, ...], *, frozen: bool, as_json: bool) -> None:
    from dvtool.api.freeze import FreezeRequest
    from dvtool.api.freeze import freeze as run
    from dvtool.ui.stages import frozen_json
    from dvtool.ui.stages import frozen_lines

    result = run(session.project(), FreezeRequest(targets, frozen=frozen))
    if as_json:
        session.json("freeze/1", frozen_json(result))
        return
    for line in frozen_lines(result):
        session.summary(line)

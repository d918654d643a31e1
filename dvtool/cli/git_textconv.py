"""``dvtool git-hook textconv``"""

from __future__ import annotations

import os

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb("textconv", examples=("dvtool git-hook textconv data.dvt",))
@click.argument("file", type=PATH)
@click.pass_obj
def textconv(session: Session, file: bytes) -> None:
    """Print what a pointer stands for, for `git diff`.

    What is no pointer comes out as it is.
    """
    from dvtool.api.pointertext import pointer_text
    from dvtool.formats.pointer import MAX_BYTES
    from dvtool.ui.pointertext import pointer_lines

    with open(os.path.join(session.cwd, file), "rb") as stream:
        data = stream.read(MAX_BYTES + 1)
        view = pointer_text(session.environment, data)
        if view is not None:
            session.lines(pointer_lines(view))
            return
        while data:
            session.raw(data)
            data = stream.read(1 << 20)

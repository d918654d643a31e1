"""``dvtool git-hook merge-driver``: what Git calls for a pointer or a lock that both sides changed."""

from __future__ import annotations

import click

from dvtool.cli.exitcodes import FAILED
from dvtool.cli.frame import PATH
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb("merge-driver", examples=("dvtool git-hook merge-driver %O %A %B %P",))
@click.argument("base", type=PATH)
@click.argument("ours", type=PATH)
@click.argument("theirs", type=PATH)
@click.argument("path", type=PATH)
@click.pass_obj
def merge_driver(session: Session, base: bytes, ours: bytes, theirs: bytes, path: bytes) -> int | None:
    """Merge a pointer or a lock by what it stands for.

    The result replaces OURS. Exit status 1 is a conflict; OURS is a valid file then, too.
    """
    from dvtool.api.merge import MergeDriverRequest
    from dvtool.api.merge import merge_driver as run
    from dvtool.model.paths import show
    from dvtool.ui.merged import conflict_lines
    from dvtool.ui.terminal import PLAIN

    result = run(session.environment, MergeDriverRequest(base, ours, theirs, path), session.reporter)
    if result.is_clean:
        return None
    if result.is_left_to_git:
        return FAILED
    if result.problem is not None:
        session.warn(f"{show(path)} was not merged, ours stays: {result.problem.message}", hint=result.problem.hint)
        session.note("once that is settled: dvtool resolve")
    else:
        for line in (
            f"{show(path)} is merged, but for what both sides changed:",
            *conflict_lines(result.conflicts, PLAIN),
            "Ours stand there now. See them and decide with: dvtool resolve",
        ):
            session.note(line)
    return FAILED

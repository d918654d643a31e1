"""``dvtool git-hook pre-commit`` and its kin: what the hooks that ``dvtool install`` writes call.

Called by the tool pre-commit instead, what Git says in arguments and on standard input comes in variables.
"""

from __future__ import annotations

import click

from dvtool.cli.frame import verb
from dvtool.cli.session import Session

_ARGS = click.argument("args", nargs=-1)


@verb("pre-commit", examples=("dvtool git-hook pre-commit",))
@_ARGS
@click.pass_obj
def pre_commit(session: Session, args: tuple[str, ...]) -> None:
    """Refuse a commit that would put data into Git."""
    del args
    from dvtool.api.precommit import PreCommitRequest
    from dvtool.api.precommit import pre_commit as run
    from dvtool.api.precommit import raise_for
    from dvtool.model.paths import show

    environ = session.environ
    request = PreCommitRequest(environ.get("PRE_COMMIT_FROM_REF", ""), environ.get("PRE_COMMIT_TO_REF", ""))
    result = run(session.environment, request)
    raise_for(result)
    for path in result.differing:
        name = show(path)
        session.warn(
            f"{name} is not what its pointer in this commit says",
            hint=f"`dvtool add {name}` records it as it is now, `dvtool checkout {name}` brings back what was recorded",
        )

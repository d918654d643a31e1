"""``dvtool add``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "add",
    examples=(
        "dvtool add data/                # a directory, however many files",
        "dvtool add model.bin train.csv",
        "dvtool add data/new.png         # one file inside a tracked directory",
        "dvtool add --glob 'raw/**/*.parquet'",
        "dvtool add -o raw/scans /mnt/scanner/2024    # a verified copy of it, tracked here",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@click.option("--glob", "use_glob", is_flag=True, help="Targets are patterns: *, ?, [] and ** for any depth.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read further targets from standard input, one a line.")
@click.option("-o", "--out", "output", type=PATH, metavar="NAME", help="Copy the one target to NAME first.")
@click.option("--no-wait", is_flag=True, help="Fail at once if another command is at work here.")
@json_option
@click.pass_obj
def add(
    session: Session,
    targets: tuple[bytes, ...],
    use_glob: bool,
    from_stdin: bool,
    output: bytes | None,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Track files or directories: store their bytes, write pointers for Git.

    Each target gets a small pointer file (`data.dvt`) beside it, to be committed with Git; the data
    itself is ignored by Git from now on. Run it again after a change: only what changed is read.
    A target inside a tracked directory changes that directory's pointer alone.
    """
    from dvtool.api.add import AddRequest
    from dvtool.api.add import add as run
    from dvtool.cli.targets import expand
    from dvtool.errors import UsageError
    from dvtool.model.paths import show
    from dvtool.ui.added import added_json
    from dvtool.ui.added import added_lines

    chosen = expand(session, targets, use_glob=use_glob, from_stdin=from_stdin)
    if output is None:
        result = run(session.project(), AddRequest(chosen, no_wait=no_wait), session.reporter)
    else:
        from dvtool.api.add_from import AddFromRequest
        from dvtool.api.add_from import add_from

        if len(chosen) != 1:
            raise UsageError("-o takes one target, which is copied to NAME", hint="dvtool add -o NAME SOURCE")
        result = add_from(session.project(), AddFromRequest(chosen[0], output, no_wait=no_wait), session.reporter)
    for path in result.visible:
        session.warn(
            f"Git still sees {show(path)}: a rule of yours keeps it visible",
            hint=f"look with: git check-ignore -v --no-index {show(path)}",
        )
    if as_json:
        session.json("add/1", added_json(result))
        return
    for line in added_lines(result):
        session.summary(line)

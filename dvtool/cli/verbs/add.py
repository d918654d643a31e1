"""``dvtool add``"""

from __future__ import annotations

import time

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
        "dvtool add --to-remote -o scans /mnt/scanner/2024    # no local copy",
        "dvtool add -o raw/scans /mnt/scanner/2024    # a verified copy of it, tracked here",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@click.option("--glob", "use_glob", is_flag=True, help="Targets are patterns: *, ?, [] and ** for any depth.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read further targets from standard input, one a line.")
@click.option("-o", "--out", "output", type=PATH, metavar="NAME", help="Copy the one target to NAME first.")
@click.option("--to-remote", is_flag=True, help="Send it straight to the remote, without a copy in the cache.")
@click.option("-r", "--remote", metavar="NAME", help="The remote it belongs to from now on, noted in its pointer.")
@click.option("-f", "--force", is_flag=True, help="Record directories exactly as they stand, see below.")
@json_option
@click.pass_obj
def add(
    session: Session,
    targets: tuple[bytes, ...],
    use_glob: bool,
    from_stdin: bool,
    output: bytes | None,
    to_remote: bool,
    remote: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Track files or directories: store their bytes, write pointers for Git.

    Each target gets a small pointer file (`data.dvt`) beside it, to be committed with Git; the data
    itself is ignored by Git from now on. Run it again after a change: only what changed is read.
    A target inside a tracked directory changes that directory's pointer alone.

    In a tracked directory what you changed is recorded. Files that its pointer names and that were
    never placed here (after a partial pull, say) stay recorded, unless you say `--force`.
    """
    from dvtool.api.add import AddRequest
    from dvtool.api.add import add as run
    from dvtool.cli.targets import expand
    from dvtool.errors import UsageError
    from dvtool.model.paths import show
    from dvtool.ui.added import added_json
    from dvtool.ui.added import added_lines

    chosen = expand(session, targets, use_glob=use_glob, from_stdin=from_stdin)
    if to_remote:
        _to_remote(session, chosen, output, remote, as_json=as_json)
        return
    if output is None:
        result = run(session.project(), AddRequest(chosen, force=force, remote=remote), session.reporter)
    else:
        from dvtool.api.add_from import AddFromRequest
        from dvtool.api.add_from import add_from

        if len(chosen) != 1:
            raise UsageError("-o takes one target, which is copied to NAME", hint="dvtool add -o NAME SOURCE")
        result = add_from(session.project(), AddFromRequest(chosen[0], output, remote), session.reporter)
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


def _to_remote(
    session: Session, chosen: tuple[bytes, ...], name: bytes | None, remote: str | None, *, as_json: bool
) -> None:
    from dvtool.api.add_to_remote import AddToRemoteRequest
    from dvtool.api.add_to_remote import add_to_remote
    from dvtool.errors import UsageError
    from dvtool.ui.added import streamed_json
    from dvtool.ui.added import streamed_lines

    if len(chosen) != 1:
        raise UsageError("--to-remote takes one file or directory", hint="dvtool add --to-remote -o NAME SOURCE")
    request = AddToRemoteRequest(chosen[0], name, remote, now=time.time())
    result = add_to_remote(session.project(), request, session.reporter)
    if as_json:
        session.json("add/1", streamed_json(result))
        return
    for line in streamed_lines(result):
        session.summary(line)

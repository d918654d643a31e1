"""``dvtool migrate``"""

from __future__ import annotations

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "migrate",
    examples=(
        "dvtool migrate --dry-run    # list what would be written",
        "dvtool migrate              # then: git commit",
        "dvtool migrate --keep       # DVC goes on working beside it",
    ),
)
@click.option("--from", "origin", type=click.Choice(["dvc", "lfs"]), default="dvc", help="The tool; default: dvc.")
@click.option("--keep", is_flag=True, help="Leave the other tool's files, so that others can go on with it.")
@click.option("-n", "--dry-run", is_flag=True, help="Only list what would be written and removed.")
@json_option
@click.pass_obj
def migrate(session: Session, origin: str, keep: bool, dry_run: bool, as_json: bool) -> None:
    """Turn a repository of DVC or Git LFS into one of dvtool.

    Pointers, ignore files, settings, pipelines and locks are written anew and staged in Git; their digests stay those
    that the other tool knew. No stage runs, and no data is read, copied or uploaded. `dvtool undo` takes it back.
    """
    from dvtool.api.migrate import MigrateRequest
    from dvtool.api.migrate import migrate as run

    result = run(session.environment, MigrateRequest(origin, keep=keep, dry_run=dry_run))
    if as_json:
        from dvtool.ui.migrated import as_document

        session.json("migrate/1", as_document(result))
        return
    from dvtool.ui.migrated import migrated_lines

    for line in migrated_lines(result, verbose=dry_run):
        session.summary(line)

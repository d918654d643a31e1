"""``dvtool init``"""

from __future__ import annotations

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "init",
    examples=(
        "git init && dvtool init && git commit -m 'Set up dvtool'",
        "dvtool init --subdir       # one project of a monorepo",
        "dvtool init --no-scm       # without Git",
    ),
)
@click.option("--no-scm", is_flag=True, help="Work without Git.")
@click.option(
    "--subdir", is_flag=True, help="Make a project of this directory alone, below the top of the Git repository."
)
@click.option("-f", "--force", is_flag=True, help="Write .dvtool/config anew where there is one. No data is touched.")
@json_option
@click.pass_obj
def init(session: Session, no_scm: bool, subdir: bool, force: bool, as_json: bool) -> None:
    """Set up dvtool in a Git repository.

    Writes `.dvtool/config` and `.dvtoolignore` and stages them in Git. Both belong into a commit.
    The cache lies in Git's own directory, where neither `git add` nor `git clean` reaches it.
    """
    from dvtool.api.init import InitRequest
    from dvtool.api.init import init as run
    from dvtool.model.paths import show

    result = run(session.environment, InitRequest(no_scm=no_scm, subdir=subdir, force=force))
    if as_json:
        session.json(
            "init/1",
            {
                "root": result.root,
                "created": [{"path": path} for path in result.created],
                "staged": result.staged,
                "repo_id": result.repo_id,
            },
        )
        return
    session.summary(f"dvtool is set up in {show(result.root)}")
    staged = ", staged in Git" if result.staged else ""
    session.summary(f"  written{staged}: {', '.join(show(path) for path in result.created)}")
    if result.staged:
        session.summary("next: git commit -m 'Set up dvtool', then dvtool add DATA")
    else:
        session.summary("next: dvtool add DATA")

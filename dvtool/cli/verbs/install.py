"""``dvtool install``"""

from __future__ import annotations

import os
import shutil
import sys

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "install",
    examples=(
        "dvtool install                     # hooks, merges and diffs of data in this clone",
        "dvtool install --pre-commit-tool   # the hooks as entries of .pre-commit-config.yaml",
        "dvtool install --uninstall",
    ),
)
@click.option("--uninstall", is_flag=True, help="Take everything out again; hooks that were there before come back.")
@click.option("--pre-commit-tool", is_flag=True, help="For users of the tool pre-commit: write its entries.")
@click.option("-f", "--force", is_flag=True, help="Even if core.hooksPath leads out of this repository.")
@click.option("--dry-run", "--dry", is_flag=True, help="Only show what would be done.")
@json_option
@click.pass_obj
def install(
    session: Session, uninstall: bool, pre_commit_tool: bool, force: bool, dry_run: bool, as_json: bool
) -> None:
    """Make Git call dvtool at commit, push, checkout, merge and rebase.

    From then on `git checkout` and `git merge` bring the data along, `git push` uploads it first, and
    `git commit` refuses large files and data that is tracked. Branches that changed the same tracked
    directory merge file by file, and `git diff` shows files instead of digests. All of it is in this
    clone alone; everybody runs it once. Hooks of your own stay and run first.
    """
    from dvtool.api.install import InstallRequest
    from dvtool.api.install import install as run
    from dvtool.api.install import plan_install
    from dvtool.errors import UsageError
    from dvtool.ui.installed import installed_json
    from dvtool.ui.installed import installed_lines
    from dvtool.ui.installed import next_step

    if uninstall and pre_commit_tool:
        raise UsageError("--uninstall takes out both kinds", hint="leave out --pre-commit-tool")
    request = InstallRequest(uninstall, pre_commit_tool, force, _program(session))
    plan = plan_install(session.project(), request)
    if not dry_run:
        run(plan)
    if as_json:
        session.json("install/1", installed_json(plan))
        return
    if plan.is_empty:
        session.summary("nothing to do: dvtool is not in Git here" if uninstall else "nothing to do: all is in place")
    for line in installed_lines(plan):
        session.summary(line)
    step = next_step(plan)
    if step is not None and not dry_run:
        session.summary(step)


def _program(session: Session) -> str:
    """Hooks run in shells, editors and clients that know nothing of the environment dvtool is installed in."""
    beside = os.path.join(os.path.dirname(sys.executable), "dvtool")
    return beside if os.access(beside, os.X_OK) else shutil.which("dvtool", path=session.environ.get("PATH")) or ""

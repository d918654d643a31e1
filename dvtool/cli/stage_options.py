"""Options that say which stages are meant, and how they are run; `plan` and `repro` share them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from dvtool.cli.options import complete_stage

_OPTIONS = (
    click.argument("targets", nargs=-1, shell_complete=complete_stage),
    click.option("-f", "--force", is_flag=True, help="Run stages also if nothing changed."),
    click.option("-s", "--single-item", "single", is_flag=True, help="Only the targets, not what they need."),
    click.option("-p", "--pipeline", is_flag=True, help="All that hangs together with the targets."),
    click.option("-P", "--all-pipelines", "everything", is_flag=True, help="All stages of the project."),
    click.option("-R", "--recursive", is_flag=True, help="Targets are directories: all stages defined below them."),
    click.option("--downstream", is_flag=True, help="The targets and all that needs them."),
    click.option("--force-downstream", is_flag=True, help="After a stage that ran, run all that needs it."),
    click.option("--glob", is_flag=True, help="Targets are patterns of stage names."),
    click.option("--pull", is_flag=True, help="Fetch what is missing from the remote."),
    click.option("--allow-missing", is_flag=True, help="Data that is not here is no reason to run."),
    click.option(
        "--no-run-cache",
        "run_cache",
        is_flag=True,
        default=True,
        flag_value=False,
        help="Do not restore from earlier runs, and do not remember this one.",
    ),
)
_NAMES = (
    "targets",
    "force",
    "single",
    "pipeline",
    "everything",
    "recursive",
    "downstream",
    "force_downstream",
    "glob",
    "pull",
    "allow_missing",
    "run_cache",
)


def stage_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``TARGETS -f -s -p -P -R --downstream ...``: the function gets ``asked``, the fields of a `PlanRequest`."""

    @functools.wraps(function)
    def collected(*args: Any, **given: Any) -> Any:
        asked = {name: given.pop(name) for name in _NAMES}
        return function(*args, asked=asked, **given)

    for option in reversed(_OPTIONS):
        collected = option(collected)
    return collected

"""``dvtool plan``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.options import complete_stage
from dvtool.cli.session import Session


@verb(
    "plan",
    examples=(
        "dvtool plan",
        "dvtool plan train -v            # every reason",
        "dvtool plan --pull              # in a new clone: what would be fetched, what would run",
        "dvtool plan -o next.plan && dvtool apply next.plan",
        "dvtool plan -P --exit-code -q   # in CI: 0 if all is up to date, 1 if not",
    ),
)
@click.argument("targets", nargs=-1, shell_complete=complete_stage)
@click.option("-o", "--out", type=PATH, metavar="FILE", help="Save the plan for `dvtool apply`.")
@click.option("-f", "--force", is_flag=True, help="As if all of them had to run.")
@click.option("-s", "--single-item", "single", is_flag=True, help="The targets alone, not what they need.")
@click.option("-p", "--pipeline", is_flag=True, help="Whole pipelines that the targets belong to.")
@click.option("-P", "--all-pipelines", "everything", is_flag=True, help="All pipelines of the project.")
@click.option("-R", "--recursive", is_flag=True, help="Targets are directories: all stages in them.")
@click.option("--downstream", is_flag=True, help="From the targets on: they, and all that need them.")
@click.option("--force-downstream", is_flag=True, help="What comes after a stage that runs, runs.")
@click.option("--glob", is_flag=True, help="Targets are patterns of names.")
@click.option("--pull", is_flag=True, help="Count what is recorded and not here as there: it would be fetched.")
@click.option("--allow-missing", is_flag=True, help="Do not look at data that is not here.")
@click.option(
    "--no-run-cache", "run_cache", is_flag=True, default=True, flag_value=False, help="Pass over earlier runs."
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 unless all is up to date.")
@json_option
@click.pass_obj
def plan(
    session: Session,
    targets: tuple[str, ...],
    out: bytes | None,
    force: bool,
    single: bool,
    pipeline: bool,
    everything: bool,
    recursive: bool,
    downstream: bool,
    force_downstream: bool,
    glob: bool,
    pull: bool,
    allow_missing: bool,
    run_cache: bool,
    exit_code: bool,
    as_json: bool,
) -> int | None:
    """Show what `dvtool repro` would do, and why.

    Stage by stage: it runs; it may run, since it needs one that does and nobody knows yet what
    that one will make; it is restored from the cache; it is up to date. Nothing is started, so a
    dependency on a URL or on what a command prints is not looked at. The times are those of past
    runs on this machine.
    """
    from dvtool.api.plan import PlanRequest
    from dvtool.api.plan import plan as run
    from dvtool.ui.plan import plan_json
    from dvtool.ui.plan import plan_lines

    request = PlanRequest(
        targets,
        single=single,
        pipeline=pipeline,
        everything=everything,
        recursive=recursive,
        downstream=downstream,
        glob=glob,
        force=force,
        force_downstream=force_downstream,
        run_cache=run_cache,
        pull=pull,
        allow_missing=allow_missing,
    )
    result = run(session.project(), request, session.reporter, save=out)
    if as_json:
        session.json("plan/1", plan_json(result))
    elif not (session.quiet and exit_code):
        session.lines(plan_lines(result, session.paint, whole=session.verbose))
    return 1 if exit_code and not result.is_up_to_date else None

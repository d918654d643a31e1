"""``dvtool repro``"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.options import complete_stage
from dvtool.cli.session import Session

if TYPE_CHECKING:
    from dvtool.pipeline.types import Decision
    from dvtool.pipeline.types import Stage


@verb(
    "repro",
    examples=(
        "dvtool repro                     # all that is out of date, here and before it",
        "dvtool repro -j 4                # up to four stages at once",
        "dvtool repro train               # that stage and what it needs",
        "dvtool repro --dry-run           # only say what would be done, and why",
        "dvtool repro -f -s train         # that stage alone, in any case",
        "dvtool repro --downstream clean  # that stage and what needs it",
    ),
)
@click.argument("targets", nargs=-1, shell_complete=complete_stage)
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=1, help="So many stages at once at most.")
@click.option("-f", "--force", is_flag=True, help="Run stages also if nothing changed.")
@click.option("-s", "--single-item", "single", is_flag=True, help="Only the targets, not what they need.")
@click.option("-p", "--pipeline", is_flag=True, help="All that hangs together with the targets.")
@click.option("-P", "--all-pipelines", "everything", is_flag=True, help="All stages of the project.")
@click.option("-R", "--recursive", is_flag=True, help="Targets are directories: all stages defined below them.")
@click.option("--downstream", is_flag=True, help="The targets and all that needs them.")
@click.option("--glob", "use_glob", is_flag=True, help="Targets are patterns of stage names.")
@click.option("-i", "--interactive", is_flag=True, help="Ask before each stage runs.")
@click.option("-n", "--dry-run", "--dry", "dry_run", is_flag=True, help="Only show what would be done, and why.")
@click.option("-k", "--keep-going", is_flag=True, help="After a failure, run what does not need the failed stage.")
@click.option("--ignore-errors", is_flag=True, help="After a failure, go on with everything, and end with 0.")
@click.option("--force-downstream", is_flag=True, help="After a stage that ran, run all that needs it.")
@click.option("--pull", is_flag=True, help="Fetch what is missing from the remote.")
@click.option("--allow-missing", is_flag=True, help="Data that is not here is no reason to run.")
@click.option("--no-run-cache", is_flag=True, help="Do not restore from earlier runs, and do not remember this one.")
@click.option("--no-commit", is_flag=True, help="Leave the outputs out of the cache; `dvtool commit` stores them.")
@json_option
@click.pass_obj
def repro(
    session: Session,
    targets: tuple[str, ...],
    jobs: int,
    force: bool,
    single: bool,
    pipeline: bool,
    everything: bool,
    recursive: bool,
    downstream: bool,
    use_glob: bool,
    interactive: bool,
    dry_run: bool,
    keep_going: bool,
    ignore_errors: bool,
    force_downstream: bool,
    pull: bool,
    allow_missing: bool,
    no_run_cache: bool,
    no_commit: bool,
    as_json: bool,
) -> None:
    """Run the stages of `dvtool.yaml` that are out of date, in order.

    A stage runs when its command, a dependency, a parameter or an output is not what `dvtool.lock` says, and the
    reason is told. What an earlier run has made from the same inputs is restored instead.

    Old outputs lie aside until the new ones are complete: a stage that fails, or that you stop, gets them back. Each
    stage is recorded as soon as it has ended.
    """
    from dvtool.api.repro import ReproRequest
    from dvtool.api.repro import raise_for
    from dvtool.api.repro import repro as run
    from dvtool.cli.running import narrator
    from dvtool.cli.running import warn_of_visible
    from dvtool.ui.repro import dry_lines
    from dvtool.ui.repro import repro_json
    from dvtool.ui.repro import result_lines

    request = ReproRequest(
        targets,
        single=single,
        pipeline=pipeline,
        everything=everything,
        recursive=recursive,
        downstream=downstream,
        glob=use_glob,
        force=force,
        force_downstream=force_downstream,
        jobs=jobs,
        keep_going=keep_going,
        ignore_errors=ignore_errors,
        commit=not no_commit,
        run_cache=not no_run_cache,
        pull=pull,
        allow_missing=allow_missing,
        dry_run=dry_run,
        now=time.time(),
    )

    def confirm(stage: Stage, decision: Decision) -> bool:
        from dvtool.ui.reasons import reason_words

        why = [f"{stage.address}: {reason_words(reason)}" for reason in decision.reasons]
        return session.ask(f"Run stage {stage.address}?", why)

    result = run(
        session.project(),
        request,
        narrator(session, as_json=as_json, jobs=jobs),
        session.reporter,
        confirm=confirm if interactive else None,
    )
    warn_of_visible(session, result)
    if as_json:
        session.json("repro/1", repro_json(result))
    elif dry_run:
        session.lines(dry_lines(result.decisions, session.paint))
    else:
        for line in result_lines(result):
            session.summary(line)
    raise_for(result)

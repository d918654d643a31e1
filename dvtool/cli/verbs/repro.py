"""``dvtool repro``"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from typing import Any

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session
from dvtool.cli.stage_options import stage_options

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
@stage_options
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=1, help="So many stages at once at most.")
@click.option("-i", "--interactive", is_flag=True, help="Ask before each stage runs.")
@click.option("-n", "--dry-run", "--dry", "dry_run", is_flag=True, help="Only show what would be done, and why.")
@click.option("-k", "--keep-going", is_flag=True, help="After a failure, run what does not need the failed stage.")
@click.option("--ignore-errors", is_flag=True, help="After a failure, go on with everything, and end with 0.")
@click.option("--no-commit", is_flag=True, help="Leave the outputs out of the cache; `dvtool commit` stores them.")
@json_option
@click.pass_obj
def repro(
    session: Session,
    asked: dict[str, Any],
    jobs: int,
    interactive: bool,
    dry_run: bool,
    keep_going: bool,
    ignore_errors: bool,
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
        **asked,
        jobs=jobs,
        keep_going=keep_going,
        ignore_errors=ignore_errors,
        commit=not no_commit,
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

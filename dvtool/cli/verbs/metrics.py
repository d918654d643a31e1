"""``dvtool metrics``"""

from __future__ import annotations

from typing import Any

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb_group
from dvtool.cli.session import Session
from dvtool.cli.valueoptions import diff_options
from dvtool.cli.valueoptions import only_one
from dvtool.cli.valueoptions import show_cells
from dvtool.cli.valueoptions import show_diff
from dvtool.cli.valueoptions import value_options


@verb_group("metrics", examples=("dvtool metrics show", "dvtool metrics diff main"))
def metrics() -> None:
    """Show and compare metrics.

    Metrics are numbers and texts in the files that `dvtool.yaml` names under `metrics:`, in YAML,
    JSON, TOML or Python. Nested values stand under dotted keys.
    """


@metrics.command(
    "show",
    examples=(
        "dvtool metrics show",
        "dvtool metrics show --all-branches",
        "dvtool metrics show --rev v1 --rev v2 eval/metrics.json",
        "dvtool metrics show --all-commits --csv > metrics.csv",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@click.option("-a", "--all-branches", is_flag=True, help="Also those of all branches.")
@click.option("-T", "--all-tags", is_flag=True, help="Also those of all tags.")
@click.option("-A", "--all-commits", is_flag=True, help="Also those of every commit.")
@click.option("--rev", "revs", multiple=True, metavar="REV", help="Those of this revision; may be repeated.")
@click.option("-R", "--recursive", is_flag=True, help="For scripts: directories are always looked through.")
@value_options
@json_option
@click.pass_obj
def show(
    session: Session,
    targets: tuple[bytes, ...],
    all_branches: bool,
    all_tags: bool,
    all_commits: bool,
    revs: tuple[str, ...],
    recursive: bool,  # noqa: ARG001
    as_markdown: bool,
    as_csv: bool,
    precision: int,
    no_path: bool,
    as_json: bool,
) -> None:
    """Show metrics: of the worktree, or of any number of revisions.

    TARGETS are files of metrics, or directories with such files in them.
    """
    from dvtool.api.metrics import MetricsShowRequest
    from dvtool.api.metrics import metrics_show
    from dvtool.api.metrics import raise_for
    from dvtool.project.transfers import Revisions
    from dvtool.ui.metrics import metrics_cells
    from dvtool.ui.metrics import metrics_json
    from dvtool.ui.metrics import problem_notes
    from dvtool.ui.values import Look

    only_one(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    revisions = Revisions(all_branches, all_tags, all_commits)
    result = metrics_show(session.project(), MetricsShowRequest(targets, revs, revisions))
    for line in problem_notes(result.problems, result.asked):
        session.note(line)
    if as_json:
        session.json("metrics-show/1", metrics_json(result.sides, result.problems))
    else:
        look = Look(None if as_csv else precision, not no_path)
        cells = list(metrics_cells(result.sides, look, *([""] if as_csv else [])))
        show_cells(session, cells, as_markdown=as_markdown, as_csv=as_csv)
        if not cells and not result.problems:
            session.note("there are no metrics; `metrics:` of a stage in dvtool.yaml names their files")
    raise_for(result)


@metrics.command(
    "diff",
    examples=(
        "dvtool metrics diff             # HEAD and the worktree",
        "dvtool metrics diff main        # main and the worktree",
        "dvtool metrics diff v1 v2 v3 worktree",
        "dvtool metrics diff main --md   # for a comment on a pull request",
    ),
)
@diff_options
@click.option("-R", "--recursive", is_flag=True, help="For scripts: directories are always looked through.")
@json_option
@click.pass_obj
def diff(
    session: Session,
    /,
    revs: tuple[str, ...],
    targets: tuple[bytes, ...],
    everything: bool,
    recursive: bool,  # noqa: ARG001
    as_json: bool,
    **form: Any,
) -> None:
    """Compare metrics of revisions, as many as you like, side by side.

    Without any it is HEAD and the worktree; one is compared with the worktree, which may also be
    named. Shown is what differs from the first.
    """
    from dvtool.api.metrics import MetricsDiffRequest
    from dvtool.api.metrics import metrics_diff
    from dvtool.api.metrics import raise_for

    result = metrics_diff(session.project(), MetricsDiffRequest(revs, targets, everything))
    show_diff(session, result, "metrics-diff/1", as_json=as_json, **form)
    raise_for(result)

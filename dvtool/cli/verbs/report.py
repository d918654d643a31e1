"""``dvtool report``"""

from __future__ import annotations

import os

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.options import one_of
from dvtool.cli.session import Session


@verb(
    "report",
    examples=(
        "dvtool report                              # HEAD against the worktree",
        "dvtool report main                         # main against the worktree",
        "dvtool report origin/main...HEAD --md      # for a comment on a pull request",
        "dvtool report v1 v2 --json",
    ),
)
@click.argument("words", nargs=-1, type=PATH, metavar="[A [B]] [TARGETS]...")
@click.option("--targets", "named", multiple=True, type=PATH, metavar="PATH", help="Only this data; may be repeated.")
@click.option("--md", "as_markdown", is_flag=True, help="Print Markdown, short enough for a comment.")
@click.option("--precision", type=click.IntRange(1, 17), default=5, metavar="N", help="Significant digits of numbers.")
@click.option("--no-fetch", is_flag=True, help="Do not fetch files of metrics that are not here.")
@json_option
@click.pass_obj
def report(
    session: Session,
    words: tuple[bytes, ...],
    named: tuple[bytes, ...],
    as_markdown: bool,
    precision: int,
    no_fetch: bool,
    as_json: bool,
) -> None:
    """Show what a change brings: data, metrics and parameters in one.

    Compares HEAD, or the revision A, with the worktree or with the revision B; `A...B` compares B
    with where the two parted. A part in which nothing differs is left out. Of data only listings are
    needed; files of metrics that are tracked are fetched where they are absent.
    """
    from dvtool.api.diff import split_words
    from dvtool.api.report import ReportRequest
    from dvtool.api.report import raise_for
    from dvtool.api.report import report as run
    from dvtool.ui.report import report_json
    from dvtool.ui.report import report_lines
    from dvtool.ui.report import report_markdown
    from dvtool.ui.values import Look

    one_of({"--json": as_json, "--md": as_markdown})
    project = session.project()
    revisions, targets = split_words(project, words)
    old, new = (*revisions, None, None)[:2]
    result = run(project, ReportRequest(old or "HEAD", new, (*targets, *named), not no_fetch), session.reporter)
    look = Look(precision)
    if as_json:
        session.json("report/1", report_json(result))
    elif as_markdown:
        # Of `A...B` the older side is a commit that nobody has a name for: "main" says more.
        branch, dots, _ = os.fsdecode(words[0]).partition("...") if words else ("", "", "")
        session.lines(report_markdown(result, look, branch if dots else ""))
    else:
        session.lines(report_lines(result, look, session.paint))
    raise_for(result)

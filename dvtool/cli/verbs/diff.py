"""``dvtool diff``"""

from __future__ import annotations

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.session import Session


@verb(
    "diff",
    examples=(
        "dvtool diff                     # HEAD against the worktree",
        "dvtool diff v1                  # v1 against the worktree",
        "dvtool diff v1 v2 -- data/images",
        "dvtool diff origin/main...HEAD --md   # for a comment on a pull request",
    ),
)
@click.argument("words", nargs=-1, type=PATH, metavar="[A [B]] [TARGETS]...")
@click.option("--targets", "named", multiple=True, type=PATH, metavar="PATH", help="Only this path; may be repeated.")
@click.option("--stat", "only_stat", is_flag=True, help="Only numbers: files and bytes.")
@click.option("--md", "as_markdown", is_flag=True, help="Print a Markdown table.")
@click.option("--show-hash", is_flag=True, help="Show digests too.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when anything differs.")
@json_option
@click.pass_obj
def diff(
    session: Session,
    words: tuple[bytes, ...],
    named: tuple[bytes, ...],
    only_stat: bool,
    as_markdown: bool,
    show_hash: bool,
    exit_code: bool,
    as_json: bool,
) -> int | None:
    """Show which files were added, deleted, modified or renamed.

    Compares HEAD, or the revision A, with the worktree or with the revision B, file by file also
    inside tracked directories. No data is needed, only listings, which are fetched when absent.
    Moved files and directories are found by their content. Words that are no revisions are paths.
    """
    from dvtool.api.diff import DiffRequest
    from dvtool.api.diff import diff as run
    from dvtool.api.diff import raise_for
    from dvtool.api.diff import split_words
    from dvtool.ui.diff import diff_lines
    from dvtool.ui.diff import json_lines
    from dvtool.ui.diff import markdown_lines
    from dvtool.ui.diff import stat_lines

    project = session.project()
    revisions, targets = split_words(project, words)
    old, new = (*revisions, None, None)[:2]
    result = run(project, DiffRequest(old or "HEAD", new, (*targets, *named)), session.reporter)
    if as_json:
        session.answered_json = True
        session.lines(json_lines(result))
    elif as_markdown:
        session.lines(markdown_lines(result, show_hash=show_hash))
    elif only_stat:
        session.lines(stat_lines(result))
    elif not (session.quiet and exit_code):
        session.lines(diff_lines(result, session.paint, show_hash=show_hash))
    raise_for(result)
    return 1 if exit_code and not result.is_empty else None

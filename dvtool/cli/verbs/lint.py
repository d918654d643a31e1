"""``dvtool lint``"""

from __future__ import annotations

import click

from dvtool.cli.exitcodes import BY_KIND
from dvtool.cli.exitcodes import DONE
from dvtool.cli.exitcodes import FAILED
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.options import annotate_option
from dvtool.cli.options import one_of
from dvtool.cli.session import Session


@verb("lint", examples=("dvtool lint", "dvtool lint --json", "dvtool lint --annotate github"))
@annotate_option
@json_option
@click.pass_obj
def lint(session: Session, platform: str | None, as_json: bool) -> int:
    """Check pointers, locks and pipelines, and what Git has of the data.

    Says all that is wrong at once, each with file and line: what cannot be read, paths that two files
    claim, stages that do not fit together, data that Git tracks or would take with `git add .`, and
    commands in which values from other files could do harm. Reads no data, starts nothing, needs no
    network. Exit status 6 where something is unsafe, else 1 where there is an error; warnings are advice.
    """
    from dvtool.api.lint import lint as run
    from dvtool.ui.annotations import annotation_lines
    from dvtool.ui.lint import lint_annotations
    from dvtool.ui.lint import lint_json
    from dvtool.ui.lint import lint_lines

    one_of({"--json": as_json, "--annotate": platform is not None})
    project = session.project()
    result = run(project)
    if as_json:
        session.json("lint/1", lint_json(result))
    elif platform == "gitlab":
        for line in lint_lines(result, session.err_paint):
            session.note(line)
    elif not (session.quiet and result.is_clean):
        session.lines(lint_lines(result, session.paint))
    if platform is not None:
        session.lines(annotation_lines(platform, lint_annotations(result, project.layout.to_git)))
    if any(finding.rule == "unsafe" for finding in result.findings):
        return BY_KIND["unsafe"]
    return DONE if result.is_clean else FAILED

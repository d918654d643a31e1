"""``dvtool verify``"""

from __future__ import annotations

import click

from dvtool.cli.exitcodes import DONE
from dvtool.cli.exitcodes import FAILED
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb
from dvtool.cli.options import annotate_option
from dvtool.cli.options import one_of
from dvtool.cli.session import Session


@verb(
    "verify",
    examples=(
        "dvtool verify                     # HEAD, as a job of a pull request does",
        "dvtool verify --rev v1.2",
        "dvtool verify --no-remote         # Git alone: pipelines, no network",
        "dvtool verify --annotate github   # notes beside the lines of the change",
    ),
)
@click.option("--rev", default="HEAD", metavar="REV", help="Look at this revision instead of HEAD.")
@click.option("-r", "--remote", "remotes", multiple=True, metavar="NAME", help="Ask this remote; may be repeated.")
@click.option("--no-remote", is_flag=True, help="Ask no remote: only look at pipelines.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=None, metavar="N", help="Requests at once.")
@annotate_option
@json_option
@click.pass_obj
def verify(
    session: Session,
    rev: str,
    remotes: tuple[str, ...],
    no_remote: bool,
    jobs: int | None,
    platform: str | None,
    as_json: bool,
) -> int:
    """Check that a commit is whole: locks, and data on remotes.

    Every stage's lock must match its command, its parameters, the code and the pointers of that
    commit, and the remotes must list every object that the commit names. Needs no data and not the
    worktree, starts nothing, and writes nothing but fetched listings. Exit status 1 where a lock is
    out of date, 4 where data is on no remote.

    What a commit does not hold is named, and passed over: variables, URLs, commands as dependencies,
    files outside of the project.
    """
    from dvtool.api.verify import VerifyRequest
    from dvtool.api.verify import raise_for
    from dvtool.api.verify import verify as run
    from dvtool.errors import UsageError
    from dvtool.ui.annotations import annotation_lines
    from dvtool.ui.verify import verify_annotations
    from dvtool.ui.verify import verify_json
    from dvtool.ui.verify import verify_lines

    one_of({"--json": as_json, "--annotate": platform is not None})
    if no_remote and remotes:
        raise UsageError("-r and --no-remote cannot go together", hint="choose one of them")
    project = session.project()
    result = run(project, VerifyRequest(rev, remotes, not no_remote, jobs or 0), session.reporter)
    if as_json:
        session.json("verify/1", verify_json(result))
    elif platform == "gitlab":
        # The report is a file; the job's log wants words all the same.
        for line in verify_lines(result, session.err_paint):
            session.note(line)
    elif not (session.quiet and result.is_whole):
        session.lines(verify_lines(result, session.paint))
    if platform is not None:
        session.lines(annotation_lines(platform, verify_annotations(result, project.layout.to_git)))
    raise_for(result)
    return FAILED if result.outdated else DONE

"""``dvtool git-hook pre-commit`` and its kin: what the hooks that ``dvtool install`` writes call.

Called by the tool pre-commit instead, what Git says in arguments and on standard input comes in variables.
"""

from __future__ import annotations

import click

from dvtool.cli.frame import verb
from dvtool.cli.session import Session

_SHOWN = 5
_ARGS = click.argument("args", nargs=-1)


@verb("pre-commit", examples=("dvtool git-hook pre-commit",))
@_ARGS
@click.pass_obj
def pre_commit(session: Session, args: tuple[str, ...]) -> None:
    """Refuse a commit that would put data into Git."""
    del args
    from dvtool.api.precommit import PreCommitRequest
    from dvtool.api.precommit import pre_commit as run
    from dvtool.api.precommit import raise_for
    from dvtool.model.paths import show

    environ = session.environ
    request = PreCommitRequest(environ.get("PRE_COMMIT_FROM_REF", ""), environ.get("PRE_COMMIT_TO_REF", ""))
    result = run(session.environment, request)
    raise_for(result)
    for path in result.differing:
        name = show(path)
        session.warn(
            f"{name} is not what its pointer in this commit says",
            hint=f"`dvtool add {name}` records it as it is now, `dvtool checkout {name}` brings back what was recorded",
        )


@verb("pre-push", examples=("dvtool git-hook pre-push origin URL",))
@_ARGS
@click.pass_obj
def pre_push(session: Session, args: tuple[str, ...]) -> None:
    """Upload the data of the commits that are about to be pushed."""
    import time

    from dvtool.api.prepush import PrePushRequest
    from dvtool.api.prepush import pre_push as run
    from dvtool.ui.transfer import push_lines

    del args
    environ = session.environ
    if "PRE_COMMIT_REMOTE_NAME" in environ:
        local = environ.get("PRE_COMMIT_TO_REF") or environ.get("PRE_COMMIT_LOCAL_BRANCH", "HEAD")
        refs: tuple[tuple[str, str], ...] = ((local, environ.get("PRE_COMMIT_FROM_REF", "")),)
    else:
        lines = [line.split() for line in session.stdin.read().decode("utf-8", "replace").splitlines()]
        refs = tuple((line[1], line[3]) for line in lines if len(line) == 4)
    result = run(session.environment, PrePushRequest(refs, time.time()), session.reporter)
    for report in result.reports:
        for line in push_lines(report):
            session.note(line)
    for text in result.left_behind[:_SHOWN]:
        session.warn(text)
    if len(result.left_behind) > _SHOWN:
        session.warn(f"and so are {len(result.left_behind) - _SHOWN:,} more")


@verb("post-checkout", examples=("dvtool git-hook post-checkout BEFORE AFTER 1",))
@_ARGS
@click.pass_obj
def post_checkout(session: Session, args: tuple[str, ...]) -> None:
    """Bring the data along after a change of branch."""
    environ = session.environ
    before, kind = environ.get("PRE_COMMIT_FROM_REF"), environ.get("PRE_COMMIT_CHECKOUT_TYPE")
    if before is None or kind is None:
        before, _, kind = args if len(args) == 3 else ("", "", "1")
    # Single files: tools take the user's changes away for a moment that way, and put them back without a word.
    if kind == "1" and not environ.get("_PRE_COMMIT_SKIP_POST_CHECKOUT"):
        _follow(session, before)


@verb("post-merge", examples=("dvtool git-hook post-merge 0",))
@_ARGS
@click.pass_obj
def post_merge(session: Session, args: tuple[str, ...]) -> None:
    """Bring the data along after a merge or a pull."""
    squash = session.environ.get("PRE_COMMIT_IS_SQUASH_MERGE") or (args[0] if args else "0")
    _follow(session, "ORIG_HEAD" if squash == "0" else "HEAD", uncommitted=squash != "0")


@verb("post-rewrite", examples=("dvtool git-hook post-rewrite rebase",))
@_ARGS
@click.pass_obj
def post_rewrite(session: Session, args: tuple[str, ...]) -> None:
    """Bring the data along after a rebase."""
    command = session.environ.get("PRE_COMMIT_REWRITE_COMMAND") or (args[0] if args else "")
    if command != "amend":
        _follow(session, "ORIG_HEAD", rebased=True)


@verb("post-commit", examples=("dvtool git-hook post-commit",))
@_ARGS
@click.pass_obj
def post_commit(session: Session, args: tuple[str, ...]) -> None:
    """Bring the data along after a cherry-pick, a revert, or a merge that was concluded."""
    del args
    _follow(session, "HEAD~1", known_only=True)


def _follow(
    session: Session, before: str, *, uncommitted: bool = False, known_only: bool = False, rebased: bool = False
) -> None:
    if "DVTOOL_STAGE" in session.environ:
        # The run around that stage has the workspace, and looks at what is there when the stage ends.
        return
    import time

    from dvtool.api.checkout import raise_for
    from dvtool.api.follow import FollowRequest
    from dvtool.api.follow import follow
    from dvtool.ui.followed import followed_lines

    result = follow(
        session.environment, FollowRequest(before, uncommitted, known_only, rebased, time.time()), session.reporter
    )
    for line in followed_lines(result):
        session.note(line)
    for error in result.errors:
        raise error
    for one in result.projects:
        raise_for(one.result, one.request)

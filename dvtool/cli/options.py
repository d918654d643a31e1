"""Options and completions that several verbs share."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import TypeVar

import click
from click.shell_completion import CompletionItem

from dvtool.cli.session import Session
from dvtool.errors import UsageError
from dvtool.project.config import Level

Function = TypeVar("Function", bound=Callable[..., Any])

_LEVELS = (
    ("--local", Level.LOCAL, "this clone: kept in the Git directory, never committed"),
    ("--project", Level.PROJECT, "everyone: the committed .dvtool/config"),
    ("--global", Level.USER, "this user"),
    ("--system", Level.SYSTEM, "this machine"),
)


def level_options(function: Function) -> Function:
    """``--local``, ``--project``, ``--global``, ``--system``: the function gets ``level``, or None."""
    for name, level, text in reversed(_LEVELS):
        names = (name, "--user") if level is Level.USER else (name,)
        function = click.option(*names, "level", flag_value=level, type=click.UNPROCESSED, help=f"For {text}.")(
            function
        )
    return function


def annotate_option(function: Function) -> Function:
    """``--annotate PLATFORM``: the function gets ``platform``, or None."""
    return click.option(
        "--annotate",
        "platform",
        type=click.Choice(["github", "gitlab"]),
        help="For notes beside the changed lines: workflow commands, or a code quality report.",
    )(function)


def one_of(given: Mapping[str, bool]) -> None:
    """Raise `UsageError` where more than one of these flags was given."""
    named = [name for name, is_given in given.items() if is_given]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named[:2])} cannot go together", hint="choose one of them")


def complete_remote(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of the configured remotes; nothing where there is no project."""
    from dvtool.errors import DvtoolError

    session = ctx.find_object(Session)
    assert session is not None
    try:
        remotes = session.project().config.remotes()
    except (DvtoolError, OSError):
        return []
    return [CompletionItem(name, help=remote.url) for name, remote in remotes.items() if name.startswith(incomplete)]


def complete_stage(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The stages that begin so, as they are called from here; files where none does."""
    from dvtool.api.stagelist import StageListRequest
    from dvtool.api.stagelist import stage_list
    from dvtool.errors import DvtoolError

    session = ctx.find_object(Session)
    assert session is not None
    try:
        project = session.project()
        stages = {stage.address: stage.name for stage in stage_list(project, StageListRequest()).stages}
        if os.path.realpath(session.cwd) == os.path.realpath(project.root):
            everything = stage_list(project, StageListRequest(everything=True)).stages
            stages |= {stage.address: stage.address for stage in everything if stage.address not in stages}
    except (DvtoolError, OSError):
        return []
    names = [name for name in stages.values() if name.startswith(incomplete)]
    if not names:
        return [CompletionItem(incomplete, type="file")]
    return [CompletionItem(name) for name in names]


def complete_setting(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of settings that have no remote in them."""
    from dvtool.formats.settings import SETTINGS

    return [
        CompletionItem(setting.key, help=setting.doc)
        for setting in SETTINGS
        if "*" not in setting.key and setting.key.startswith(incomplete)
    ]

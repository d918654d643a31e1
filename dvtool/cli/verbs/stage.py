"""``dvtool stage``"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb_group
from dvtool.cli.options import complete_stage
from dvtool.cli.session import Session

if TYPE_CHECKING:
    from dvtool.api.stageadd import StageAddResult


@verb_group(
    "stage",
    examples=("dvtool stage list", "dvtool stage add -n train -d train.py -d data -o model.bin python train.py"),
)
def stage() -> None:
    """List or add stages of pipelines.

    A stage is a command with what it reads and what it writes. Stages stand in `dvtool.yaml`, which
    you may edit as well: comments and layout are kept.
    """


Function = TypeVar("Function", bound=Callable[..., Any])


def _paths(*names: str, text: str) -> Callable[[Function], Function]:
    return click.option(*names, multiple=True, metavar="PATH", type=click.Path(), help=text)


@stage.command(
    "add",
    examples=(
        "dvtool stage add -n prepare -d prepare.py -d raw -o clean python prepare.py",
        "dvtool stage add -n train -d clean -p train.lr,train.epochs -o model.bin -M metrics.json python train.py",
        "dvtool stage add -n report --argv -d model.bin -o report.html python report.py 'a title with spaces'",
    ),
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("-n", "--name", required=True, metavar="NAME", help="The name of the stage.")
@click.option("-f", "--force", is_flag=True, help="Replace a stage of that name.")
@_paths("-d", "--deps", text="A file or directory that it reads; may be repeated, as those below.")
@click.option(
    "-p",
    "--params",
    multiple=True,
    metavar="[FILE:]KEYS",
    help="Parameters that it reads: keys of params.yaml, or of FILE; `FILE:` is all of it.",
)
@_paths("-o", "--outs", text="A file or directory that it writes; kept in the cache.")
@_paths("-O", "--outs-no-cache", text="The same, left to Git.")
@_paths("--outs-persist", text="The same as -o, but left there while the command runs.")
@_paths("--outs-persist-no-cache", text="The same, left to Git.")
@_paths("-m", "--metrics", text="A file of metrics that it writes; kept in the cache.")
@_paths("-M", "--metrics-no-cache", text="The same, left to Git.")
@_paths("--plots", text="A file of data for plots that it writes; kept in the cache.")
@_paths("--plots-no-cache", text="The same, left to Git.")
@click.option("-w", "--wdir", default="", metavar="DIR", help="Run it there; its paths are relative to DIR.")
@click.option("--always-changed", is_flag=True, help="Run it every time.")
@click.option("--desc", default="", metavar="TEXT", help="What it is for.")
@click.option("--argv", is_flag=True, help="Run the words as they are, without a shell.")
@click.option("--run", "and_run", is_flag=True, help="Run it at once, as `dvtool repro -s NAME` does.")
@json_option
@click.pass_obj
def add(session: Session, /, and_run: bool, as_json: bool, **given: Any) -> None:
    """Add a stage to the `dvtool.yaml` of this directory.

    COMMAND is run by the shell; put it in quotes where the shell shall act on it later and not now.
    Options stand before it. Each path has one owner: a path that another stage writes, or that was
    tracked by `dvtool add`, is refused.
    """
    from dvtool.api.stageadd import StageAddRequest
    from dvtool.api.stageadd import stage_add as run
    from dvtool.ui.stages import added_json
    from dvtool.ui.stages import added_lines

    result = run(session.project(), StageAddRequest(**given), session.reporter)
    if as_json and not and_run:
        session.json("stage-add/1", added_json(result))
    elif not as_json:
        for line in added_lines(result):
            session.summary(line)
    if and_run:
        _run(session, result, as_json=as_json)


def _run(session: Session, added: StageAddResult, *, as_json: bool) -> None:
    from dvtool.api.repro import ReproRequest
    from dvtool.api.repro import raise_for
    from dvtool.api.repro import repro
    from dvtool.cli.running import narrator
    from dvtool.cli.running import warn_of_visible
    from dvtool.ui.repro import repro_json
    from dvtool.ui.repro import result_lines
    from dvtool.ui.stages import added_json

    request = ReproRequest((added.stage,), single=True, now=time.time())
    result = repro(session.project(), request, narrator(session, as_json=as_json, jobs=1), session.reporter)
    warn_of_visible(session, result)
    if as_json:
        session.json("stage-add/1", {**added_json(added), "run": repro_json(result)})
    else:
        for line in result_lines(result):
            session.summary(line)
    raise_for(result)


# What follows the first word of the command belongs to it.
add.allow_interspersed_args = False


@stage.command(
    "list",
    examples=(
        "dvtool stage list               # of this directory's dvtool.yaml",
        "dvtool stage list --all --json",
        "dvtool stage list -R models     # of the directory and those below it",
    ),
)
@click.argument("targets", nargs=-1, shell_complete=complete_stage)
@click.option("--all", "everything", is_flag=True, help="All stages of the project.")
@click.option("-R", "--recursive", is_flag=True, help="Targets are directories: all stages in them.")
@click.option("--name-only", "--names-only", is_flag=True, help="Only the names.")
@json_option
@click.pass_obj
def list_(
    session: Session, targets: tuple[str, ...], everything: bool, recursive: bool, name_only: bool, as_json: bool
) -> None:
    """List stages, after templates were worked out.

    Targets are stages, definitions, outputs or directories. Without any it is the `dvtool.yaml` of
    this directory.
    """
    from dvtool.api.stagelist import StageListRequest
    from dvtool.api.stagelist import stage_list as run
    from dvtool.ui.stages import nothing_listed
    from dvtool.ui.stages import stage_lines
    from dvtool.ui.stages import stage_names

    result = run(session.project(), StageListRequest(targets, everything=everything, recursive=recursive))
    if as_json:
        session.json("stage-list/1", result)
        return
    note = nothing_listed(result)
    if note is not None:
        session.note(note)
    session.lines(stage_names(result) if name_only else stage_lines(result, session.paint))

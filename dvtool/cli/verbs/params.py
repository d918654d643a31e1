"""``dvtool params``"""

from __future__ import annotations

from typing import Any

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb_group
from dvtool.cli.session import Session
from dvtool.cli.valueoptions import diff_options
from dvtool.cli.valueoptions import show_diff


@verb_group("params", examples=("dvtool params diff main",))
def params() -> None:
    """Compare parameters.

    Parameters are the values of `params.yaml` and of the files that `dvtool.yaml` names under
    `params:`, in YAML, JSON, TOML or Python. Nested values stand under dotted keys.
    """


@params.command(
    "diff",
    examples=(
        "dvtool params diff              # HEAD and the worktree",
        "dvtool params diff v1 v2 v3 worktree",
        "dvtool params diff main --deps --md",
    ),
)
@diff_options
@click.option("--deps", "deps_only", is_flag=True, help="Only parameters that stages depend on.")
@json_option
@click.pass_obj
def diff(
    session: Session,
    /,
    revs: tuple[str, ...],
    targets: tuple[bytes, ...],
    everything: bool,
    deps_only: bool,
    as_json: bool,
    **form: Any,
) -> None:
    """Compare parameters of revisions, as many as you like, side by side.

    Without any it is HEAD and the worktree; one is compared with the worktree, which may also be
    named. Shown is what differs from the first.
    """
    from dvtool.api.params import ParamsDiffRequest
    from dvtool.api.params import params_diff
    from dvtool.api.params import raise_for

    result = params_diff(session.project(), ParamsDiffRequest(revs, targets, everything, deps_only))
    show_diff(session, result, "params-diff/1", as_json=as_json, **form)
    raise_for(result)

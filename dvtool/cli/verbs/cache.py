"""``dvtool cache``"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb_group
from dvtool.cli.options import level_options
from dvtool.cli.session import Session
from dvtool.errors import UsageError
from dvtool.model.paths import show

if TYPE_CHECKING:
    from dvtool.project.config import Level


@verb_group("cache", examples=("dvtool cache dir", "dvtool cache dir /big-disk/cache"))
def cache() -> None:
    """Show or choose the cache, where the bytes of tracked data lie."""


@cache.command(
    "dir",
    examples=(
        "dvtool cache dir                     # print it",
        "dvtool cache dir /big-disk/cache     # use another one in this clone",
        "dvtool cache dir --unset             # the default again",
    ),
)
@click.argument("path", required=False, type=click.Path())
@click.option("-u", "--unset", is_flag=True, help="Use the default again: in Git's own directory.")
@level_options
@json_option
@click.pass_obj
def dir_(session: Session, path: str | None, unset: bool, level: Level | None, as_json: bool) -> None:
    """Print or choose the cache directory.

    PATH may be shared by several clones and users. It is set for this clone alone, since a cloned
    repository must not choose a directory on your machine.
    """
    from dvtool.api.cachedir import cache_dir
    from dvtool.api.cachedir import set_cache_dir
    from dvtool.project.config import Level

    if unset and path is not None:
        raise UsageError("--unset takes no PATH", hint="dvtool cache dir --unset")
    if not unset and path is None:
        result = cache_dir(session.environment)
        if as_json:
            session.json("cache-dir/1", result)
        else:
            session.path(result.dir)
        return
    result = set_cache_dir(session.environment, path, level or Level.LOCAL)
    if as_json:
        session.json("cache-dir/1", result)
        return
    session.summary(f"the cache is {show(result.dir)}")
    if result.before is not None and result.before != result.dir and os.path.isdir(result.before):
        session.summary(f"  what was cached before stays in {show(result.before)}")

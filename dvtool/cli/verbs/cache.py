"""``dvtool cache``"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from dvtool.cli.frame import PATH
from dvtool.cli.frame import json_option
from dvtool.cli.frame import verb_group
from dvtool.cli.options import level_options
from dvtool.cli.session import Session
from dvtool.errors import UsageError
from dvtool.model.paths import show

if TYPE_CHECKING:
    from dvtool.project.config import Level


@verb_group("cache", examples=("dvtool cache dir", "dvtool cache dir /big-disk/cache", "dvtool cache key"))
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


@cache.command(
    "key",
    examples=(
        "dvtool cache key                 # of all that the checked out commit needs",
        "dvtool cache key data/train      # of what this job pulls",
    ),
)
@click.argument("targets", nargs=-1, type=PATH)
@click.option("--rev", metavar="REV", help="Of this revision instead of the worktree.")
@json_option
@click.pass_obj
def key(session: Session, targets: tuple[bytes, ...], rev: str | None, as_json: bool) -> None:
    """Print a key under which CI can keep the cache directory.

    It is made from pointers and locks alone, so it is known before any data is here, and it is the
    same for all commits that name the same data. Every key begins with `dvtool-1-`: the newest one
    that begins so is the next best to restore.
    """
    from dvtool.api.cachekey import cache_key

    found = cache_key(session.project(), targets, rev)
    if as_json:
        session.json("cache-key/1", {"key": found})
    else:
        session.line(found)

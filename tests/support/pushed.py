"""A project whose data is on a remote and nowhere else."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from dvtool.api.config import config_set
from dvtool.api.push import PushRequest
from dvtool.api.push import push
from dvtool.project.config import Level
from tests.support.trees import Tree
from tests.support.workbench import NOW
from tests.support.workbench import Workbench


def pushed_project(place: Path, tree: Tree, settings: Mapping[str, str] | None = None) -> Workbench:
    """*tree* tracked, committed as tag ``v1`` and pushed; then its worktree and the cache are emptied.

    *settings*: of the remote, with its ``url``; a directory beside the project where there are none.
    """
    own = settings or {"url": str(place / "remote")}
    bench = Workbench(place / "repo")
    for key, value in own.items():
        config_set(bench.environment, f"remote.origin.{key}", value, Level.LOCAL if key != "url" else Level.PROJECT)
    config_set(bench.environment, "core.remote", "origin")
    bench.track(tree)
    bench.git("tag", "v1")
    push(bench.project, PushRequest(now=NOW))
    for name in tree:
        gone = bench.root / name
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    shutil.rmtree(bench.cache.root)
    return bench

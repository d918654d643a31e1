"""Turning a repository of DVC or Git LFS into one of dvtool, without moving or reading its data."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace

from dvtool.errors import NotInRepository
from dvtool.errors import UsageError
from dvtool.git.discover import find_git
from dvtool.model.paths import show
from dvtool.project.dvcfiles import find_dvc_root
from dvtool.project.environment import Environment
from dvtool.project.layout import Layout
from dvtool.project.layout import plan_layout
from dvtool.project.migration import Converted
from dvtool.project.migration import Migration
from dvtool.project.migration import carry_out
from dvtool.project.open import find_layout
from dvtool.project.open import open_project

ORIGINS = ("dvc", "lfs")


@dataclass(frozen=True, slots=True)
class MigrateRequest:
    """``origin``: one of `ORIGINS`. ``keep``: the other tool's files stay beside ours. ``dry_run``: change nothing."""

    origin: str = "dvc"
    keep: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class MigrateResult:
    """``written`` and ``removed`` are paths from the root. ``settings``: keys that went into the user's own file.

    ``tracked``: the paths that are data now. ``runs``: entries of the other tool's run cache that were taken over.
    ``notes``: what is to be known, a line each.
    """

    root: bytes
    converted: tuple[Converted, ...]
    written: tuple[bytes, ...]
    removed: tuple[bytes, ...]
    settings: tuple[str, ...]
    tracked: tuple[bytes, ...]
    notes: tuple[str, ...]
    is_done: bool
    runs: int = 0


def migrate(environment: Environment, request: MigrateRequest) -> MigrateResult:
    """Write pointers, definitions, locks and settings that say what those of the other tool say, and stage them.

    Raises `NotInRepository`, `UsageError` where there is nothing to migrate, `FormatError` for what cannot be taken
    over (then nothing was changed), `UnsafeInput`, `StorageError`.
    """
    if request.origin not in ORIGINS:
        raise UsageError(f"dvtool does not migrate from {request.origin!r}", hint=f"one of {', '.join(ORIGINS)}")
    if request.origin == "lfs":
        layout, plan = _plan_lfs(environment, keep=request.keep)
    else:
        from dvtool.project.dvcmigration import plan_dvc_migration

        root = find_dvc_root(environment.cwd)
        layout = plan_layout(root, find_git(root, environment.environ), environment)
        plan = plan_dvc_migration(layout, keep=request.keep)
    result = MigrateResult(
        layout.root,
        plan.converted,
        tuple(path for path, data in plan.files.items() if data is not None),
        plan.removed,
        tuple(str(key) for key, _ in plan.settings),
        plan.tracked,
        plan.notes,
        is_done=False,
    )
    if request.dry_run:
        return result
    if not plan.is_empty:
        carry_out(layout, environment, plan)
    return replace(result, is_done=True, runs=_keep_runs(layout, environment, plan))


def _keep_runs(layout: Layout, environment: Environment, plan: Migration) -> int:
    """What DVC's runs made, as far as it is known here which stage that was; how many."""
    from dvtool.project.adoptedruns import convert_runs
    from dvtool.project.adoptedruns import keep_runs
    from dvtool.project.parts import open_cache

    found = convert_runs(layout.root, plan.stages)
    return keep_runs(open_cache(open_project(layout.root, environment)), found) if found else 0


def _plan_lfs(environment: Environment, *, keep: bool) -> tuple[Layout, Migration]:
    from dvtool.project.lfsmigration import plan_lfs_migration

    if keep:
        raise UsageError(
            "a file is either in Git LFS or tracked by dvtool, so there is nothing to keep",
            hint="try it in a clone first: git clone . ../trial",
        )
    git = find_git(environment.cwd, environment.environ)
    if git is None:
        raise NotInRepository(f"{show(environment.cwd)} is not inside a Git repository", path=environment.cwd)
    try:
        layout = find_layout(environment.cwd, environment)
    except NotInRepository:
        layout = plan_layout(git.worktree, git, environment)
    return layout, plan_lfs_migration(layout, git)

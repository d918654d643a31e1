"""What differs: the worktree from the pointers, the pointers from the last commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.history import changed_since_head
from dvtool.project.open import Project
from dvtool.project.parts import open_tracked
from dvtool.project.parts import relative_paths
from dvtool.workspace.selection import Selected
from dvtool.workspace.selection import select


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """``targets``: tracked paths, directories above them or paths inside; empty is everything.

    ``cloud``: also say what the remotes do not hold: for each path the one that it belongs to, or of
    ``remotes`` those that it may go to.
    """

    targets: tuple[bytes, ...] = ()
    cloud: bool = False
    remotes: tuple[str, ...] = ()


class Difference(NamedTuple):
    """One path that differs: ``change`` is "added", "deleted", "modified", "missing" or "outdated".

    ``size`` is that of the newer side in bytes. ``files`` is more than 1 where a whole directory
    stands for what it holds, because its listing is not at hand.
    """

    change: str
    path: bytes
    size: int
    files: int = 1
    why: str = ""


@dataclass(frozen=True, slots=True)
class StatusResult:
    """``workspace``: worktree against pointers, to be taken over by `add`. ``committed``: pointers
    against ``HEAD``, to be committed by Git. ``missing``: what the pointers name and the worktree
    does not have, or has in another version that dvtool placed there ("outdated"). ``cloud``:
    paths whose bytes the remote does not hold, ``why`` names it where there are several; None when not asked.
    """

    tracked: int
    workspace: tuple[Difference, ...]
    committed: tuple[Difference, ...]
    missing: tuple[Difference, ...]
    cloud: tuple[Difference, ...] | None
    files_seen: int
    files_hashed: int
    bytes_hashed: int

    @property
    def is_clean(self) -> bool:
        return not (self.workspace or self.committed or self.missing or self.cloud)


def status(project: Project, request: StatusRequest, reporter: Reporter = SILENT) -> StatusResult:
    """Compare. Reads only files that changed since the last look; writes nothing but the memo.

    Raises `FormatError` and `UnsafeInput` for pointers that cannot be read, `UsageError`,
    `StorageError`.
    """
    tracked = open_tracked(project)
    selected = select(tracked, relative_paths(project, request.targets))
    chosen = {one.item.path for one in selected}
    changed = [one for one in changed_since_head(project, tracked) if not request.targets or one[0] in chosen]
    if not selected and not changed:
        return StatusResult(0, (), (), (), () if request.cloud else None, 0, 0, 0)
    from dvtool.api.status_compare import compare

    workspace, missing, committed, counts = compare(project, tracked, selected, changed, reporter)
    cloud = None
    if request.cloud:
        cloud = _missing_on_remotes(project, selected, request.remotes, reporter)
    return StatusResult(
        len(selected),
        tuple(workspace),
        tuple(committed),
        tuple(missing),
        cloud,
        counts.files_seen,
        counts.files_hashed,
        counts.bytes_hashed,
    )


def _missing_on_remotes(
    project: Project, selected: Sequence[Selected], names: Sequence[str], reporter: Reporter
) -> tuple[Difference, ...]:
    from dvtool.project.parts import open_cache
    from dvtool.project.remotes import Remotes
    from dvtool.project.routes import Routes
    from dvtool.project.transfers import wanted_now
    from dvtool.transfer.cloudstatus import remote_status

    routes = Routes(project.config)
    mirrors = project.config.flag("core.push_mirrors")
    going = routes.for_pushing(wanted_now(routes, selected), names, reporter, mirrors=mirrors)
    lacking = []
    with Remotes(project) as remotes:
        for (name,), wanted in going:
            found = remote_status(open_cache(project), remotes.get(name), wanted, reporter=reporter)
            why = f"not on {name}" if len(going) > 1 else ""
            lacking += [Difference("missing", item.path, item.size, why=why) for item in found]
    return tuple(lacking)

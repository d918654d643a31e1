"""What differs: the worktree from the pointers, the pointers from the last commit."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from dvtool.errors import ConfigError
from dvtool.errors import FormatError
from dvtool.errors import UsageError
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.history import changed_since_head
from dvtool.project.locate import is_dvc_root
from dvtool.project.open import Project
from dvtool.project.parts import find_files
from dvtool.project.parts import learned
from dvtool.project.parts import open_tracked
from dvtool.project.parts import relative_paths
from dvtool.workspace.pointers import OwnFiles
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.selection import Selected
from dvtool.workspace.selection import select

if TYPE_CHECKING:
    from dvtool.pipeline.types import Action
    from dvtool.pipeline.types import Reason


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


class Beside(NamedTuple):
    """A path of which DVC's files, kept beside ours, say something else; ``why`` in words."""

    path: bytes
    why: str


class Unmerged(NamedTuple):
    """A pointer or lock, relative to the root."""

    path: bytes


@dataclass(frozen=True, slots=True)
class StageStatus:
    """One stage that is not up to date, or is frozen. ``reasons``: of its own; none where it only waits for others.

    ``unchecked``: nothing speaks against it but what only a run looks at.
    """

    stage: str
    action: Action
    frozen: bool
    reasons: tuple[Reason, ...]
    unchecked: bool = False


@dataclass(frozen=True, slots=True)
class StagesSeen:
    """``total``: stages looked at. ``named``: targets that mean stages and nothing else.

    ``error``: why no stage was looked at.
    """

    total: int = 0
    stages: tuple[StageStatus, ...] = ()
    named: frozenset[bytes] = frozenset()
    error: FormatError | ConfigError | None = None


@dataclass(frozen=True, slots=True)
class StatusResult:
    """``workspace``: worktree against pointers, to be taken over by `add`. ``committed``: pointers
    against ``HEAD``, to be committed by Git. ``missing``: what the pointers name and the worktree
    does not have, or has in another version that dvtool placed there ("outdated"). ``cloud``:
    paths whose bytes the remote does not hold, ``why`` names it where there are several; None when not asked.
    ``stages``: of ``stage_count`` that were looked at, those that are out of date, and frozen ones.
    ``has_outputs``: outputs of stages are in ``workspace``, which `commit` takes over and `add` does not.
    ``stages_error``: why nothing is known of stages: a definition cannot be read.
    ``unmerged``: pointers and locks that a merge left in conflict. ``beside``: where DVC's files disagree with ours.
    ``foreign``: the tool whose project this is, "dvc", where dvtool only reads it.
    """

    tracked: int
    workspace: tuple[Difference, ...]
    committed: tuple[Difference, ...]
    missing: tuple[Difference, ...]
    cloud: tuple[Difference, ...] | None
    files_seen: int
    files_hashed: int
    bytes_hashed: int
    stage_count: int = 0
    stages: tuple[StageStatus, ...] = ()
    has_outputs: bool = False
    stages_error: FormatError | ConfigError | None = None
    unmerged: tuple[Unmerged, ...] = ()
    beside: tuple[Beside, ...] = ()
    foreign: str = ""

    @property
    def is_clean(self) -> bool:
        outdated = any((stage.reasons or not stage.frozen) and not stage.unchecked for stage in self.stages)
        differs = self.workspace or self.committed or self.missing or self.cloud
        return not (differs or outdated or self.stages_error or self.unmerged or self.beside)


def status(project: Project, request: StatusRequest, reporter: Reporter = SILENT) -> StatusResult:
    """Compare. Reads only files that changed since the last look; writes nothing but the memo.

    A definition that cannot be read is told in the result, unless a target may mean a stage of it.
    Raises `FormatError` and `UnsafeInput` for pointers that cannot be read, `UsageError`,
    `StorageError`.
    """
    files = find_files(project)
    tracked = learned(project, open_tracked(project, found=files), reporter)
    stages = StagesSeen()
    targets = request.targets
    if files.definitions:
        stages = _stages(project, files, tracked, targets, reporter)
        targets = tuple(target for target in targets if target not in stages.named)
    selected = select(tracked, relative_paths(project, targets)) if targets or not request.targets else []
    chosen = {one.item.path for one in selected}
    sources = {one.item.pointer_path for one in selected}
    unmerged = tuple(Unmerged(path) for path in files.unmerged if not request.targets or path in sources)
    changed = [one for one in changed_since_head(project, tracked) if not request.targets or one[0] in chosen]
    beside = _beside(project, tracked) if not request.targets else ()
    if not selected and not changed:
        return StatusResult(
            0,
            (),
            (),
            (),
            () if request.cloud else None,
            0,
            0,
            0,
            stages.total,
            stages.stages,
            stages_error=stages.error,
            unmerged=unmerged,
            beside=beside,
            foreign=project.foreign,
        )
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
        stages.total,
        stages.stages,
        any(owner.stage for one in workspace if (owner := tracked.owner(one.path)) is not None),
        stages.error,
        unmerged,
        beside,
        project.foreign,
    )


def _beside(project: Project, tracked: TrackedPaths) -> tuple[Beside, ...]:
    if project.foreign or not is_dvc_root(project.root):
        return ()
    from dvtool.project.kept import disagreements

    return tuple(Beside(*one) for one in disagreements(project, tracked))


def _stages(
    project: Project, files: OwnFiles, tracked: TrackedPaths, targets: tuple[bytes, ...], reporter: Reporter
) -> StagesSeen:
    from dvtool.api.status_stages import look_at_stages

    known = set()
    for target in targets:
        with suppress(UsageError):
            select(tracked, relative_paths(project, (target,)))
            known.add(target)
    try:
        return look_at_stages(project, files, targets, known, reporter)
    except (FormatError, ConfigError) as error:
        if len(known) < len(targets):
            raise
        return StagesSeen(error=error)


def _missing_on_remotes(
    project: Project, selected: Sequence[Selected], names: Sequence[str], reporter: Reporter
) -> tuple[Difference, ...]:
    from dvtool.project.adoptpush import lacking_on
    from dvtool.project.parts import open_cache
    from dvtool.project.remotes import Remotes
    from dvtool.project.routes import Routes
    from dvtool.project.transfers import wanted_now

    routes = Routes(project.config)
    mirrors = project.config.flag("core.push_mirrors")
    going = routes.for_pushing(wanted_now(routes, selected), names, reporter, mirrors=mirrors)
    lacking = []
    with Remotes(project) as remotes:
        for (name,), wanted in going:
            found = lacking_on(open_cache(project), remotes.get(name), wanted, reporter=reporter)
            why = f"not on {name}" if len(going) > 1 else ""
            lacking += [Difference("missing", item.path, item.size, why=why) for item in found]
    return tuple(lacking)

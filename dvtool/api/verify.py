"""Whether a commit is whole: its locks are what its stages come to, and remotes have all that it names."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import UsageError
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import decode_lock
from dvtool.formats.pack import TREE
from dvtool.model.digest import as_digest
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.pipeline.graph import build
from dvtool.pipeline.lockfile import lock_path
from dvtool.pipeline.outlook import PENDING
from dvtool.pipeline.outlook import outlook
from dvtool.pipeline.params import read_values
from dvtool.pipeline.types import Because
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import Reason
from dvtool.pipeline.types import Stage
from dvtool.project.history import tracked_at
from dvtool.project.listings import Listings
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.remotes import Remotes
from dvtool.project.routes import Routes
from dvtool.project.transfers import wanted_of
from dvtool.project.versions import Version
from dvtool.project.versions import Versions
from dvtool.workspace.pointers import TrackedPaths

if TYPE_CHECKING:
    from dvtool.project.commitsight import CommitSight

__all__ = ["Lacking", "Outdated", "Unchecked", "VerifyRequest", "VerifyResult", "raise_for", "verify"]

_UNSURE = frozenset({Because.ALWAYS, Because.DEP_UNCHECKED, Because.UPSTREAM_RUNS})


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """``remotes``: asked in place of those that each path belongs to. ``ask_remotes``: False looks at Git alone."""

    rev: str = "HEAD"
    remotes: tuple[str, ...] = ()
    ask_remotes: bool = True
    jobs: int = 0


class Outdated(NamedTuple):
    """A stage whose lock is not what it comes to. ``line``: of its definition. ``follows``: nothing of its own differs,
    but a stage before it is outdated."""

    stage: str
    file: bytes
    line: int
    reasons: tuple[Reason, ...]
    follows: bool


class Unchecked(NamedTuple):
    """What a commit alone does not tell: ``why`` says it in words."""

    stage: str
    subject: str
    why: str


class Lacking(NamedTuple):
    """A file, or a directory's listing, that none of ``remotes`` has. ``pointer``: what names it."""

    path: bytes
    pointer: bytes
    digest: str
    size: int
    remotes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """``lacking``: None where no remote was asked."""

    rev: str
    commit: str
    stages: int
    tracked: int
    outdated: tuple[Outdated, ...]
    unchecked: tuple[Unchecked, ...]
    lacking: tuple[Lacking, ...] | None

    @property
    def is_whole(self) -> bool:
        return not (self.outdated or self.lacking)


def verify(project: Project, request: VerifyRequest, reporter: Reporter = SILENT) -> VerifyResult:
    """Look at one commit. Reads no data and not the worktree, starts nothing; of remotes only lists and listings.

    Raises `UsageError`, `FormatError`, `ConfigError` for what cannot be read at that commit, `StorageError` where a
    remote cannot be asked.
    """
    from dvtool.git.revisions import resolve

    if project.git is None:
        raise UsageError("this project works without Git, so there is no commit to verify", hint="dvtool status")
    commit = resolve(project.git, request.rev)
    tracked = tracked_at(project, commit)
    version = Versions(project).at(commit)
    outdated, unchecked = _stages(project, commit, version, tracked, request, reporter)
    lacking = _lacking(project, tracked, request, reporter) if request.ask_remotes else None
    stages = sum(len(definition.stages) for definition in version.definitions)
    return VerifyResult(request.rev, commit, stages, len(tracked), tuple(outdated), tuple(unchecked), lacking)


def raise_for(result: VerifyResult) -> None:
    """Raise `MissingData` where remotes lack something. What is outdated is in the result alone."""
    if not result.lacking:
        return
    causes = [
        MissingData(f"{show(item.path)} is not on {' or '.join(item.remotes)} ({item.digest[:19]})", path=item.path)
        for item in result.lacking
    ]
    hint = "in a clone that has the data: dvtool push" + ("" if result.rev == "HEAD" else " --all-commits")
    if len(causes) == 1:
        causes[0].hint = hint
        raise causes[0]
    raise MissingData(f"{len(causes):,} objects are on no remote", hint=hint, causes=tuple(causes))


def _stages(
    project: Project,
    commit: str,
    version: Version,
    tracked: TrackedPaths,
    request: VerifyRequest,
    reporter: Reporter,
) -> tuple[list[Outdated], list[Unchecked]]:
    definitions = version.definitions
    if not definitions:
        return [], []
    from dvtool.project.commitsight import CommitSight

    graph = build(definitions, {item.path: item.pointer_path for item in tracked if not item.stage})
    locks = {definition.file: _lock(version, definition.file) for definition in definitions}
    unchecked: list[Unchecked] = []

    def locked(stage: Stage) -> LockedStage | None:
        return locks[stage.file].get(stage.name)

    def observe(stage: Stage) -> Observation:
        try:
            seen = sight.observe(stage)
        except (MissingData, StorageError) as error:
            unchecked.append(Unchecked(stage.address, "", error.message))
            return _as_recorded(stage, locked(stage))
        unchecked.extend(_unchecked(stage, seen, sight))
        return seen

    with ExitStack() as stack:
        listings = stack.enter_context(Listings(project, reporter))
        cache = open_cache(project)
        page = listings.get if request.ask_remotes else lambda oid: cache.read_meta(oid, TREE)
        sight = CommitSight(project, commit, tracked, page, read_values, version.read)
        # What a lock names is on remotes or not: that is looked at by itself.
        found = outlook(graph, graph.stages, locked, observe, lambda record: True)  # noqa: ARG005
    outdated: list[Outdated] = []
    for address, foreseen in found.items():
        reasons = [each for each in foreseen.decision.reasons if each.because not in _UNSURE]
        stage = graph.stages[address]
        above = [each for each in graph.above[address] if any(one.stage == each for one in outdated)]
        if foreseen.decision.action not in PENDING and not _differs(reasons):
            continue
        if _differs(reasons) or above:
            shown = tuple(reasons) or tuple(Reason(Because.UPSTREAM_RUNS, each) for each in above)
            outdated.append(Outdated(address, stage.file, stage.at.line, shown, not _differs(reasons)))
    return outdated, unchecked


def _differs(reasons: Iterable[Reason]) -> bool:
    return any(each.because not in (Because.UNCHANGED, Because.FROZEN) for each in reasons)


def _lock(version: Version, definition: bytes) -> dict[str, LockedStage]:
    path = lock_path(definition)
    text = version.read(path)
    return {} if text is None else decode_lock(text, show(path))


def _as_recorded(stage: Stage, record: LockedStage | None) -> Observation:
    if record is None:
        return Observation({}, {}, {})
    return Observation(
        {dep.name: record.deps.get(dep.name) for dep in stage.deps if dep.name in record.deps},
        record.params,
        {out.path: record.outs.get(out.path) for out in stage.outs},
    )


def _unchecked(stage: Stage, seen: Observation, sight: CommitSight) -> Iterable[Unchecked]:
    if stage.always_changed:
        yield Unchecked(stage.address, "", "it runs every time")
    for dep in stage.deps:
        if dep.name not in seen.deps:
            known = sight.unknown.get(dep.name)
            yield Unchecked(stage.address, dep.name, "" if known is None else known.message)


def _lacking(
    project: Project, tracked: TrackedPaths, request: VerifyRequest, reporter: Reporter
) -> tuple[Lacking, ...]:
    """What is on none of the remotes that a fetch would ask for it."""
    from dvtool.project.adoptpush import lacking_on

    routes = Routes(project.config)
    wanted = [wanted_of(routes, item) for item in tracked if item.pushed]
    if not wanted:
        return ()
    cache = open_cache(project)
    lacking: list[Lacking] = []
    with Remotes(project) as remotes:
        for names, some in routes.for_reading(wanted, request.remotes, reporter):
            missing = None
            for name in names:
                found = lacking_on(cache, remotes.get(name), some, jobs=request.jobs, reporter=reporter)
                here = {item.oid: item for item in found}
                missing = here if missing is None else {oid: item for oid, item in missing.items() if oid in here}
                if not missing:
                    break
            for item in (missing or {}).values():
                owner = tracked.owner(item.path)
                pointer = owner.pointer_path if owner is not None else b""
                lacking.append(Lacking(item.path, pointer, str(as_digest(item.oid)), item.size, tuple(names)))
    return tuple(sorted(lacking))

"""Why stages would run, down to what somebody changed, and who."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from datetime import datetime
from functools import cached_property

from dvtool.errors import DvtoolError
from dvtool.errors import UsageError
from dvtool.formats.lock import Json
from dvtool.formats.runrecord import RunRecord
from dvtool.model.paths import is_below
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.pipeline.decide import decide
from dvtool.pipeline.definition import parse
from dvtool.pipeline.globs import may_match_below
from dvtool.pipeline.outcome import State
from dvtool.pipeline.params import read_values
from dvtool.pipeline.runs import Runs
from dvtool.pipeline.targets import TargetRequest
from dvtool.pipeline.targets import named_stages
from dvtool.pipeline.types import Because
from dvtool.pipeline.types import DepKind
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import Reason
from dvtool.pipeline.types import Stage
from dvtool.pipeline.values import value_at
from dvtool.pipeline.why import Cause
from dvtool.pipeline.why import Explained
from dvtool.pipeline.why import explain
from dvtool.project.authors import UNCOMMITTED
from dvtool.project.authors import Authored
from dvtool.project.authors import last_change
from dvtool.project.definitions import read_input
from dvtool.project.foresight import foresee
from dvtool.project.open import Project
from dvtool.project.oplog import require_own
from dvtool.project.parts import relative_path
from dvtool.project.pastlocks import record_before
from dvtool.project.pipelines import Pipeline
from dvtool.project.pipelines import open_pipeline

__all__ = ["Authored", "Cause", "Explained", "WhyRequest", "WhyResult", "why"]


_MOST_RUNS = 20
_BECAUSE = {each.value: each for each in Because}
_INPUTS = frozenset(
    {
        Because.COMMAND_CHANGED,
        Because.DEP_CHANGED,
        Because.DEP_ADDED,
        Because.DEP_REMOVED,
        Because.PARAM_CHANGED,
        Because.PARAM_ADDED,
        Because.PARAM_REMOVED,
    }
)


@dataclass(frozen=True, slots=True)
class WhyRequest:
    """``targets``: stages, outputs, or paths that stages read; none given means all that is out of date."""

    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WhyResult:
    """``explained``: what was asked for, then every stage that its chains of causes go through. ``authors``: who made
    the change that a chain ends at, where Git knows; an empty commit is a change that is not committed yet."""

    explained: tuple[Explained, ...]
    authors: Mapping[Cause, Authored]


def why(project: Project, request: WhyRequest, reporter: Reporter = SILENT) -> WhyResult:
    """Explain. Looks at the worktree and at Git's history, and starts nothing.

    Raises `UsageError` for a target that no stage has to do with, `ConfigError`, `FormatError`, `UnsafeInput`.
    """
    require_own(project.layout, "why")
    with open_pipeline(project, reporter=reporter) as pipeline:
        graph = pipeline.graph
        targets = [address for target in request.targets for address in _stages(pipeline, target)]
        found = foresee(pipeline, graph.upstream(targets if request.targets else graph.stages), reporter=reporter)
        decisions = {address: each.decision for address, each in found.items()}
        if not request.targets:
            targets = [address for address, each in decisions.items() if not _is_idle(each.reasons[0].because)]
        explained = explain(graph, decisions, dict.fromkeys(targets), _Past(pipeline, reporter).reasons)
        authors = {}
        for one in explained:
            for cause in one.causes:
                author = _author(pipeline, graph.stages[one.stage], cause)
                if author is not None:
                    authors[cause] = author
        return WhyResult(tuple(explained), authors)


class _Past:
    """Why stages ran last, by the records of this workspace's runs, or else by committed locks."""

    def __init__(self, pipeline: Pipeline, reporter: Reporter) -> None:
        self._pipeline = pipeline
        self._runs = Runs(pipeline.project.layout.state_dir, reporter)

    @cached_property
    def _records(self) -> list[RunRecord]:
        try:
            found = [self._runs.read(number).record for number in reversed(self._runs.ids()[-_MOST_RUNS:])]
        except DvtoolError:
            return []
        return [record for record in found if record is not None]

    def reasons(self, address: str) -> list[Reason]:
        """Of the newest run in which its outputs were made or restored; none where no record tells."""
        for record in self._records:
            stage = record.stages.get(address)
            if stage is not None and stage.state in (State.RAN.value, State.RESTORED.value):
                return [
                    Reason(_BECAUSE[each.because], each.subject, each.before, each.after)
                    for each in stage.causes
                    if each.because in _BECAUSE and _BECAUSE[each.because] is not Because.RUN_CACHED
                ]
        return self._by_locks(self._pipeline.graph.stages[address])

    def _by_locks(self, stage: Stage) -> list[Reason]:
        """What differs between the record and the one before it."""
        now = self._pipeline.locks.of(stage)
        try:
            before = None if now is None else record_before(self._pipeline.project, stage, now)
        except DvtoolError:
            return []
        if now is None or before is None:
            return []
        changes = decide(replace(stage, frozen=False), before, Observation(now.deps, now.params, now.outs)).reasons
        return [reason for reason in changes if reason.because in _INPUTS]


def _is_idle(because: Because) -> bool:
    return because in (Because.UNCHANGED, Because.FROZEN)


def _stages(pipeline: Pipeline, target: str) -> list[str]:
    """The stages that a target names or that make it, or else those that read it."""
    graph = pipeline.graph
    try:
        return named_stages(graph, TargetRequest((target,), directory=pipeline.directory))
    except UsageError:
        path = relative_path(pipeline.project, os.fsencode(target))
        by_pointer = {pointer: data for data, pointer in pipeline.tracked.items()}
        path = by_pointer.get(path, path)
        makers = [made for out, made in graph.producers.items() if is_below(path, out) or is_below(out, path)]
        readers = [address for address, stage in graph.stages.items() if _reads(stage, path)]
        if not (makers or readers) or not path:
            raise
        return makers or readers


def _reads(stage: Stage, path: bytes) -> bool:
    for dep in stage.deps:
        if dep.kind is DepKind.GLOB:
            if may_match_below(dep.path, path):
                return True
        elif dep.path and (is_below(dep.path, path) or is_below(path, dep.path)):
            return True
    return any(params.file == path for params in stage.params)


def _author(pipeline: Pipeline, stage: Stage, cause: Cause) -> Authored | None:
    if not cause.file:
        return None
    project = pipeline.project
    try:
        if cause.reason.because is Because.COMMAND_CHANGED:
            return _author_of_command(project, stage)
        if cause.key:
            return _author_of_value(project, cause.file, _value_of(cause.file, cause.key))
        return _author_of_data(pipeline, cause.file)
    except DvtoolError:
        # A history that cannot be read is no reason to withhold the causes themselves.
        return None


def _author_of_command(project: Project, stage: Stage) -> Authored | None:
    """Whoever was the last to change its text, or a value that stands in it through ``${}``."""
    found = [_author_of_value(project, stage.file, _command_of(project, stage))]
    for used in stage.uses:
        found += [_author_of_value(project, used.file, _value_of(used.file, key)) for key in used.keys]
    known = [each for each in found if each is not None]
    if UNCOMMITTED in known:
        return UNCOMMITTED
    return max(reversed(known), key=lambda each: datetime.fromisoformat(each.time.replace("Z", "+00:00")), default=None)


def _author_of_value(project: Project, file: bytes, value_of: Callable[[bytes], object]) -> Authored | None:
    return last_change(project, file, value_of, read_input(project, file))


def _author_of_data(pipeline: Pipeline, path: bytes) -> Authored | None:
    """Of what has a pointer, Git knows the pointer, and that only where the data is as it says."""
    owner = path
    while owner and owner not in pipeline.tracked:
        owner = owner.rpartition(b"/")[0]
    if not owner:
        return last_change(pipeline.project, path)
    if pipeline.anew().observer.content(owner) != pipeline.tracked_content(owner):
        return UNCOMMITTED
    return last_change(pipeline.project, pipeline.tracked[owner])


def _value_of(file: bytes, key: str) -> Callable[[bytes], object]:
    def value(text: bytes) -> tuple[Json] | None:
        return value_at(read_values(text, file), key)

    return value


def _command_of(project: Project, stage: Stage) -> Callable[[bytes], object]:
    def command(text: bytes) -> object:
        # With the variables as they are now: a command that changed with one of them is nobody's edit of the file.
        definition = parse(text, stage.file, lambda path: read_input(project, path))
        return next(((each.commands, each.argv) for each in definition.stages if each.name == stage.name), None)

    return command

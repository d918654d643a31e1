"""Running the stages that are out of date."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from dataclasses import dataclass
from types import TracebackType

from dvtool.api.planrequest import PlanRequest
from dvtool.errors import DvtoolError
from dvtool.errors import StageFailed
from dvtool.errors import UsageError
from dvtool.formats.lock import LockedStage
from dvtool.model.paths import DEFINITION_NAME
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.pipeline.claims import Claims
from dvtool.pipeline.evaluate import Evaluator
from dvtool.pipeline.execute import Options
from dvtool.pipeline.execute import World
from dvtool.pipeline.execute import execute
from dvtool.pipeline.lockfile import lock_path
from dvtool.pipeline.outcome import Ended
from dvtool.pipeline.outcome import Event
from dvtool.pipeline.outcome import Outcome
from dvtool.pipeline.outcome import RunResult
from dvtool.pipeline.outcome import State
from dvtool.pipeline.outcome import Tell
from dvtool.pipeline.outcome import Tick
from dvtool.pipeline.outputs import Outputs
from dvtool.pipeline.recording import Recording
from dvtool.pipeline.runcache import KnownRuns
from dvtool.pipeline.runs import Recorder as RunRecorder
from dvtool.pipeline.runs import Runs
from dvtool.pipeline.targets import select
from dvtool.pipeline.types import Decision
from dvtool.pipeline.types import Stage
from dvtool.project.adoptedruns import find_adopted
from dvtool.project.cacheroots import keep_in_shared_cache
from dvtool.project.foresight import foresee
from dvtool.project.machine import devices_of
from dvtool.project.machine import room_of
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.parts import is_durable
from dvtool.project.parts import link_types
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_worktree
from dvtool.project.parts import relative_path
from dvtool.project.pipelines import Pipeline
from dvtool.project.pipelines import open_pipeline
from dvtool.project.runfiles import RunFiles
from dvtool.project.sharedruns import open_run_cache
from dvtool.store.gaps import Gap
from dvtool.workspace.aside import Aside

_LOG_BYTES = 8 << 10
_LOG_LINES = 20
Confirm = Callable[[Stage, Decision], bool]
Check = Callable[[Pipeline], None]


@dataclass(frozen=True, slots=True)
class ReproRequest(PlanRequest):
    """What to bring up to date, and how, as `Options` has it. Of what ``force`` means, ``spared`` are left out:
    addresses of stages.

    ``anew``: addresses of stages that run whatever is recorded, with all that needs them. ``now``: Unix seconds.
    ``clock``: seconds that only grow.
    """

    jobs: int = 1
    keep_going: bool = False
    ignore_errors: bool = False
    commit: bool = True
    anew: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()
    dry_run: bool = False
    now: float = 0.0
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class ReproResult:
    """``decisions``: of a dry run, else empty. ``git_files``: what belongs into the next commit. ``visible``: outputs
    that the user's own rules keep visible to Git. ``ignored_errors``: failures were not to count."""

    run: RunResult
    decisions: tuple[Decision, ...] = ()
    git_files: tuple[bytes, ...] = ()
    visible: tuple[bytes, ...] = ()
    ignored_errors: bool = False


def repro(
    project: Project,
    request: ReproRequest,
    tell: Tell = lambda _: None,
    reporter: Reporter = SILENT,
    *,
    confirm: Confirm | None = None,
    check: Check | None = None,
) -> ReproResult:
    """Run what is out of date, restore what is known, and record each stage as soon as it has ended.

    *tell* hears of every stage while it goes on; *confirm* is asked before one runs; *check* may raise before anything
    is done, with the workspace locked. What failed is in the result: `raise_for` turns it into the error to end with.
    Raises `UsageError`, `FormatError`, `ConfigError`, `UnsafeInput`,
    `StorageError`, `Locked`.
    """
    if request.dry_run:
        with open_pipeline(
            project, reporter=reporter, allow_missing=request.allow_missing, pull=request.pull
        ) as pipeline:
            addresses = _selected(project, pipeline, request)
            found = foresee(
                pipeline,
                addresses,
                force=_forced(pipeline, addresses, request),
                force_downstream=request.force_downstream,
                run_cache=request.run_cache,
                pull=request.pull,
                reporter=reporter,
            )
            return ReproResult(RunResult(()), tuple(each.decision for each in found.values()))
    with ExitStack() as opened:
        cache = open_cache(project)
        worktree = opened.enter_context(open_worktree(project, cache))
        worktree.lock("dvtool repro")
        operation = opened.enter_context(begin(project, "repro"))
        pipeline = opened.enter_context(
            open_pipeline(
                project,
                reporter=reporter,
                evaluate=Evaluator(project.root, project.environment.environ),
                worktree=worktree,
                allow_missing=request.allow_missing,
                pull=request.pull,
            )
        )
        if check is not None:
            check(pipeline)
        addresses = _selected(project, pipeline, request)
        stages = [pipeline.graph.stages[address] for address in addresses]
        if request.pull:
            from dvtool.api.repropull import pull_for

            pull_for(project, worktree, addresses, request, operation, reporter)
            pipeline.forget_gaps()
        worktree.sweep(worktree.leftovers_beside(lock_path(stage.file) for stage in stages), reporter)
        files = RunFiles(project, operation, stages)
        known = _known_runs(pipeline, reporter) if request.run_cache else None
        noting = opened.enter_context(_Noting(project, request, tell, reporter))
        aside = Aside(worktree.root_fd, worktree.state_dir)
        recording = Recording(
            worktree,
            pipeline.observer,
            aside,
            reporter,
            clock=request.clock,
            durable=is_durable(project),
            commit=request.commit,
            keep=lambda items: keep_in_shared_cache(project, cache, items),
            remember=None if known is None else known.save,
            claims=Claims(pipeline.locks.beside, pipeline.definitions),
        )

        def about_to_change() -> None:
            worktree.sweep(worktree.leftovers_beside(out.path for stage in stages for out in stage.outs), reporter)
            files.begin()

        world = World(
            graph=pipeline.graph,
            observer=pipeline.observer,
            worktree=worktree,
            recording=recording,
            aside=aside,
            outputs=Outputs(worktree, aside, link_types(project), reporter, now=request.now),
            locked=pipeline.locks.of,
            in_cache=pipeline.in_cache,
            environ=project.environment.environ,
            clock=request.clock,
            log_of=noting.log_of,
            reporter=reporter,
            about_to_change=about_to_change,
            earlier=None if known is None else known.find,
            confirm=confirm,
        )
        options = Options(
            jobs=request.jobs,
            room=room_of(project),
            devices=devices_of(project),
            force=_forced(pipeline, addresses, request),
            force_downstream=request.force_downstream,
            keep_going=request.keep_going,
            ignore_errors=request.ignore_errors,
            commit=request.commit,
        )
        try:
            with recording:
                if recording.take_over(pipeline.graph.stages):
                    pipeline.locks.forget()
                result = execute(addresses, options, world, noting.tell)
                recording.clear({stage.file for stage in stages})
                worktree.sweep(pipeline.observer.leftovers, reporter)
        finally:
            if recording.changes or recording.written:
                cached = (out.path for stage in stages for out in stage.outs if out.cache)
                files.end(recording.written, recording.changes, cached)
        noting.end(result)
    return ReproResult(
        result, git_files=tuple(sorted(files.changed)), visible=files.visible, ignored_errors=request.ignore_errors
    )


def raise_for(result: ReproResult) -> None:
    """Raise the error that a run ends with, if a stage failed."""
    if result.run.failed and not result.ignored_errors:
        raise _failure(result.run)


def log_tail(log: bytes) -> str:
    """The last lines that a stage printed; empty where there is nothing."""
    try:
        with open(log, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - _LOG_BYTES))
            data = file.read()
    except OSError:
        return ""
    lines = data.decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:])


def _selected(project: Project, pipeline: Pipeline, request: ReproRequest) -> list[str]:
    directory = relative_path(project, project.environment.cwd)
    addresses = select(pipeline.graph, request.seen_from(directory))
    if not addresses and not request.targets:
        what = "no stages in this project" if request.everything else f"no stages in {show(DEFINITION_NAME)} here"
        raise UsageError(what, hint="`dvtool stage add` makes one; `dvtool repro -P` runs those of all directories")
    return addresses


def _forced(pipeline: Pipeline, addresses: list[str], request: ReproRequest) -> frozenset[str]:
    chosen = frozenset(addresses)
    for address in request.anew:
        if address not in chosen:
            raise UsageError(f"stage {address} is none of those that are asked for", hint="dvtool stage list --all")
    forced = chosen - set(request.spared) if request.force else frozenset()
    return forced | (chosen & pipeline.graph.downstream(request.anew))


def _failure(result: RunResult) -> DvtoolError:
    errors = tuple(_error(outcome) for outcome in result.failed)
    if len(errors) == 1:
        return errors[0]
    return StageFailed(f"{len(errors):,} stages failed", causes=errors, hint=errors[0].hint)


def _error(outcome: Outcome) -> DvtoolError:
    if outcome.error is not None:
        return outcome.error
    if outcome.timed_out:
        how = "ran out of time"
    elif outcome.code < 0:
        how = f"was ended by {_signal_name(-outcome.code)}"
    else:
        how = f"failed with exit code {outcome.code}"
    tries = f" (tried {outcome.attempts} times)" if outcome.attempts > 1 else ""
    tail = log_tail(outcome.log)
    shown = "".join(f"\n  {line}" for line in tail.splitlines())
    hint = f"mend it, then `dvtool resume`; all that it printed: dvtool runs show --logs {outcome.address}"
    if outcome.left_in:
        hint += f"; its unfinished outputs are in {show(outcome.left_in)}"
    return StageFailed(f"stage {outcome.address} {how}{tries}{shown}", hint=hint)


def _signal_name(number: int) -> str:
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _known_runs(pipeline: Pipeline, reporter: Reporter) -> KnownRuns:
    def can_be_had(record: LockedStage) -> bool:
        return all(
            pipeline.gap(content) == Gap() or pipeline.observer.content(path) == content
            for path, content in record.outs.items()
        )

    return KnownRuns(
        open_run_cache(pipeline.project, pipeline.cache, reporter),
        can_be_had,
        lambda stage, seen: find_adopted(pipeline, stage, seen),
    )


class _Noting:
    """The record of this run, begun with the first stage that is not skipped."""

    def __init__(self, project: Project, request: ReproRequest, tell: Tell, reporter: Reporter) -> None:
        self._project = project
        self._request = request
        self._tell = tell
        self._reporter = reporter
        self._opened = ExitStack()
        self._recorder: RunRecorder | None = None
        self._waiting: list[Event] = []

    def __enter__(self) -> _Noting:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)

    def tell(self, event: Event) -> None:
        """Write it down, and pass it on."""
        if self._recorder is not None:
            self._recorder.tell(event)
        elif not isinstance(event, Tick):
            self._waiting.append(event)
            if isinstance(event, Ended) and event.outcome.state is not State.SKIPPED:
                self._begin()
        self._tell(event)

    def log_of(self, stage: Stage) -> bytes:
        """The file for what it prints."""
        return self._begin().log_of(stage)

    def end(self, result: RunResult) -> None:
        """All stages are through."""
        if self._recorder is not None:
            failed = bool(result.failed) and not self._request.ignore_errors
            error = _failure(result) if failed else None
            self._recorder.end(8 if failed else 0, error)

    def _begin(self) -> RunRecorder:
        if self._recorder is None:
            from dvtool.git.revisions import head

            fields = asdict(self._request)
            for name in ("now", "clock", "dry_run"):
                del fields[name]
            runs = Runs(self._project.layout.state_dir, self._reporter)
            began, clock = self._request.clock(), self._request.clock
            recorder = runs.begin(
                argv=self._project.environment.command,
                request={
                    **fields,
                    "targets": list(self._request.targets),
                    "anew": list(self._request.anew),
                    "spared": list(self._request.spared),
                    "directory": os.fsdecode(relative_path(self._project, self._project.environment.cwd)),
                },
                commit=(head(self._project.git) if self._project.git is not None else None) or "",
                clock=lambda: self._request.now + clock() - began,
            )
            self._recorder = self._opened.enter_context(recorder)
            for event in self._waiting:
                recorder.tell(event)
            self._waiting.clear()
        return self._recorder

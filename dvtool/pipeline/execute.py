"""Running stages: each is looked at when its turn comes, decided about, and carried out."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import ExitStack
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from functools import partial
from typing import NamedTuple
from typing import TypeVar

from dvtool.disk.processes import Processes
from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import StageFailed
from dvtool.errors import StorageError
from dvtool.formats.lock import LockedStage
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.pipeline.decide import Known
from dvtool.pipeline.decide import decide
from dvtool.pipeline.globs import static_prefix
from dvtool.pipeline.graph import Graph
from dvtool.pipeline.observe import Observer
from dvtool.pipeline.outcome import Decided
from dvtool.pipeline.outcome import Ended
from dvtool.pipeline.outcome import Outcome
from dvtool.pipeline.outcome import RunResult
from dvtool.pipeline.outcome import Started
from dvtool.pipeline.outcome import State
from dvtool.pipeline.outcome import Tell
from dvtool.pipeline.outcome import Tick
from dvtool.pipeline.outcome import Waiting
from dvtool.pipeline.outputs import Outputs
from dvtool.pipeline.process import Finished
from dvtool.pipeline.process import Runner
from dvtool.pipeline.recording import Recording
from dvtool.pipeline.schedule import Devices
from dvtool.pipeline.schedule import Schedule
from dvtool.pipeline.types import Action
from dvtool.pipeline.types import Because
from dvtool.pipeline.types import Decision
from dvtool.pipeline.types import Dep
from dvtool.pipeline.types import DepKind
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import Reason
from dvtool.pipeline.types import Stage
from dvtool.workspace.aside import Aside
from dvtool.workspace.worktree import Worktree

_QUIET_SECONDS = 0.05
"""When no stage ends for so long, what has ended is recorded."""
_TICK_SECONDS = 0.1
_ELSEWHERE = frozenset({DepKind.ENV, DepKind.URL, DepKind.COMMAND})
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """How stages are run. ``jobs``: at once, within ``room``: how much of each resource there is.

    ``devices``: the graphics devices, by name.
    ``force``: these run whatever is recorded. ``force_downstream``: so does all that comes after a stage that ran.
    ``keep_going``: after a failure, what does not need the failed stage is still run; ``ignore_errors``: that, too.
    ``commit``: outputs go into the cache.
    """

    jobs: int = 1
    room: Mapping[str, float] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    force: frozenset[str] = frozenset()
    force_downstream: bool = False
    keep_going: bool = False
    ignore_errors: bool = False
    commit: bool = True


@dataclass(frozen=True, slots=True)
class World:
    """What a run works on. *worktree* is locked. ``log_of``: the file for what a stage prints. ``clock``: seconds that
    only grow. ``now``: Unix seconds. ``confirm``: asked before a stage runs. ``about_to_change``: called once, before
    anything is changed. ``earlier``: a run with exactly these inputs whose outputs can be had.
    """

    graph: Graph
    observer: Observer
    worktree: Worktree
    recording: Recording
    aside: Aside
    outputs: Outputs
    locked: Callable[[Stage], LockedStage | None]
    in_cache: Callable[[LockedStage], bool]
    environ: Mapping[str, str]
    clock: Callable[[], float]
    log_of: Callable[[Stage], bytes]
    reporter: Reporter
    about_to_change: Callable[[], None]
    earlier: Callable[[Stage, Observation], LockedStage | None] | None = None
    confirm: Callable[[Stage, Decision], bool] | None = None


def execute(addresses: Sequence[str], options: Options, world: World, tell: Tell) -> RunResult:
    """Bring *addresses*, in the order of a run, up to date. What failed is in the result.

    Raises `StorageError` where results could not be stored, and what interrupts it; before that, what had ended is
    recorded, what was running is stopped and its old outputs are given back.
    """
    return _Run(addresses, options, world, tell).run()


class _Work(NamedTuple):
    """A stage that is to run or runs."""

    stage: Stage
    decision: Decision
    seen: Observation
    record: LockedStage | None
    folder: bytes = b""
    log: bytes = b""
    attempt: int = 0
    seconds: float = 0.0
    peak: int = 0
    environ: Mapping[str, str] = {}


def _names_of_missing(decision: Decision) -> list[str]:
    return [reason.subject for reason in decision.reasons if reason.because is Because.DEP_MISSING]


def _missing(address: str, names: Sequence[str]) -> MissingData:
    more = f" and {len(names) - 1:,} more" if names[1:] else ""
    return MissingData(
        f"stage {address} depends on {names[0]}{more}, which is not there",
        path=names[0],
        hint=f"check the name; if it is tracked, `dvtool checkout {names[0]}` or `dvtool pull {names[0]}` brings it",
    )


class _Run:
    def __init__(self, addresses: Sequence[str], options: Options, world: World, tell: Tell) -> None:
        self._addresses = addresses
        self._options = options
        self._world = world
        self._tell = tell
        self._schedule = Schedule(addresses, world.graph.above, jobs=options.jobs, room=options.room)
        self._devices = Devices(options.devices)
        self._work: dict[str, _Work] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._ran: set[str] = set()
        self._has_changed = False
        self._is_stopping = False
        self._storage_error: StorageError | None = None

    def run(self) -> RunResult:
        world = self._world
        with ExitStack() as opened:
            processes = opened.enter_context(Processes(keeps_open=world.worktree.lock_descriptor))
            self._runner = Runner(world.worktree.root, world.environ, processes, world.clock)
            try:
                self._loop()
                self._stored(world.recording.flush)
            except BaseException:
                self._abandon(processes)
                raise
        if self._storage_error is not None:
            raise self._storage_error
        for address in self._addresses:
            if address not in self._outcomes:
                self._outcomes[address] = Outcome(address, State.LEFT)
        return RunResult(tuple(self._outcomes[address] for address in self._addresses))

    def _loop(self) -> None:
        schedule, recording = self._schedule, self._world.recording
        while True:
            while (address := schedule.next_to_look_at()) is not None:
                self._look(address)
                self._start_what_fits()
            self._start_what_fits()
            if not schedule.running:
                if schedule.is_over:
                    return
                continue
            if recording.is_due:
                self._stored(recording.flush)
            finished = self._runner.wait(_QUIET_SECONDS if recording.is_waiting else _TICK_SECONDS)
            if finished is not None:
                self._finished(finished)
            elif recording.is_waiting:
                self._stored(recording.flush)
            else:
                self._tell(Tick(tuple(self._runner.addresses)))

    def _look(self, address: str) -> None:
        stage = self._world.graph.stages[address]
        try:
            decision, seen, record, earlier = self._decide(stage)
        except StorageError:
            raise
        except DvtoolError as error:
            self._fail(Outcome(address, State.FAILED, error=error))
            return
        self._tell(Decided(decision))
        if decision.action is Action.BLOCKED:
            self._fail(Outcome(address, State.FAILED, decision, error=_missing(address, _names_of_missing(decision))))
        elif decision.action is Action.SKIP:
            if record is not None and self._world.recording.is_kept_otherwise(stage, record):
                self._about_to_change()
                self._stored(partial(self._world.recording.keep_otherwise, stage, record))
            self._settle(Outcome(address, State.SKIPPED, decision))
        elif decision.action is Action.RESTORE and self._restore(stage, decision, seen, earlier or record):
            return
        elif self._world.confirm is not None and not self._world.confirm(stage, decision):
            self._settle(Outcome(address, State.LEFT, decision))
        elif absent := [dep.name for dep in stage.deps if self._is_absent(dep)]:
            # It counted as recorded, but the command wants to read it.
            self._fail(Outcome(address, State.FAILED, decision, error=_missing(address, absent)))
        else:
            self._work[address] = _Work(stage, decision, seen, record)
            self._schedule.wants(address, stage.resources)

    def _decide(self, stage: Stage) -> tuple[Decision, Observation, LockedStage | None, LockedStage | None]:
        world, options = self._world, self._options
        record = world.locked(stage)
        seen = world.observer.observe(stage)
        force = stage.address in options.force
        if options.force_downstream and not stage.frozen:
            force = force or any(each in self._ran for each in world.graph.above[stage.address])
        decision = self._decided(stage, record, seen, force=force, earlier=None)
        earlier = None
        if decision.action is Action.RUN and world.earlier is not None and not (force or stage.always_changed):
            earlier = world.earlier(stage, seen)
            if earlier is not None:
                decision = self._decided(stage, record, seen, force=force, earlier=earlier)
        return decision, seen, record, earlier

    def _is_absent(self, dep: Dep) -> bool:
        path = static_prefix(dep.path) if dep.kind is DepKind.GLOB else dep.path
        return dep.kind not in _ELSEWHERE and path != b"" and self._world.worktree.stat(path) is None

    def _decided(
        self, stage: Stage, record: LockedStage | None, seen: Observation, *, force: bool, earlier: LockedStage | None
    ) -> Decision:
        differs = record is not None and any(seen.outs.get(path) != now for path, now in record.outs.items())
        at_hand = differs and record is not None and self._world.in_cache(record)
        return decide(stage, record, seen, Known(force=force, recorded_in_cache=at_hand, earlier=earlier))

    def _restore(self, stage: Stage, decision: Decision, seen: Observation, record: LockedStage | None) -> bool:
        """False where bytes turn out to be missing or damaged: then it runs."""
        world = self._world
        assert record is not None
        self._about_to_change()
        world.recording.flush()
        began = world.clock()
        try:
            world.outputs.restore(stage, record, seen, world.locked(stage))
        except MissingData as error:
            world.reporter.note(f"stage {stage.address} has to run after all: {error.message}")
            world.observer.forget(out.path for out in stage.outs)
            return False
        world.recording.restored(stage, record, seen)
        self._settle(Outcome(stage.address, State.RESTORED, decision, seconds=world.clock() - began))
        return True

    def _start_what_fits(self) -> None:
        while (address := self._schedule.next_to_start()) is not None:
            self._about_to_change()
            work = self._work[address]
            stage = work.stage
            try:
                folder = self._world.outputs.prepare(stage, work.record, work.seen)
            except StorageError:
                raise
            except DvtoolError as error:
                self._fail(Outcome(address, State.FAILED, work.decision, error=error))
                continue
            log = self._world.log_of(stage)
            devices = self._devices.take(address, stage.resources.get("gpu", 0.0))
            environ = {"CUDA_VISIBLE_DEVICES": ",".join(devices)} if devices else {}
            self._work[address] = work._replace(folder=folder, log=log, attempt=1, environ=environ)
            self._tell(Started(stage, 1, log))
            self._runner.start(stage, log, environ=environ)

    def _finished(self, finished: Finished) -> None:
        world, tell = self._world, self._tell
        address = finished.address
        work = self._work[address]
        work = work._replace(seconds=work.seconds + finished.seconds, peak=max(work.peak, finished.peak))
        stage = work.stage
        outcome = Outcome(
            address,
            State.RAN,
            work.decision,
            finished.code,
            finished.timed_out,
            work.seconds,
            work.peak,
            work.attempt,
            work.log,
        )
        error: DvtoolError | None = StageFailed(finished.problem) if finished.problem else None
        if finished.code == 0:
            try:
                self._stored(lambda: world.recording.add(stage, work.seen, work.folder))
            except DvtoolError as problem:
                error = problem
            else:
                del self._work[address]
                self._ran.add(address)
                self._check_inputs(work)
                self._settle(outcome)
                return
        will_retry = work.attempt <= stage.retry.times and not self._is_stopping
        left = world.outputs.fail(stage, b"" if will_retry else work.folder)
        if will_retry:
            pause = stage.retry.wait * stage.retry.backoff ** (work.attempt - 1)
            tell(Waiting(address, finished.code, pause))
            self._work[address] = work._replace(attempt=work.attempt + 1)
            tell(Started(stage, work.attempt + 1, work.log))
            self._runner.start(stage, work.log, after=pause, environ=work.environ)
            return
        del self._work[address]
        self._fail(replace(outcome, state=State.FAILED, left_in=left or b"", error=error))

    def _check_inputs(self, work: _Work) -> None:
        """What the stage read may have been changed while it ran: recorded is what was there when it began."""
        observer = self._world.observer
        deps = tuple(dep for dep in work.stage.deps if dep.path)
        paths = [dep.path for dep in deps] + [params.file for params in work.stage.params]
        if not paths:
            return
        observer.forget(paths)
        now = observer.observe(replace(work.stage, deps=deps, outs=()))
        changed = [name for name, content in now.deps.items() if content != work.seen.deps.get(name)]
        changed += [show(file) for file, values in now.params.items() if values != work.seen.params.get(file)]
        if changed:
            self._world.reporter.note(
                f"{', '.join(changed[:3])} changed while stage {work.stage.address} ran: it will run again next time"
            )

    def _settle(self, outcome: Outcome) -> None:
        self._outcomes[outcome.address] = outcome
        self._tell(Ended(outcome))
        self._devices.give(outcome.address)
        self._schedule.settle(outcome.address)

    def _fail(self, outcome: Outcome) -> None:
        address = outcome.address
        if self._options.ignore_errors:
            self._settle(outcome)
            return
        self._outcomes[address] = outcome
        self._tell(Ended(outcome))
        self._devices.give(address)
        for lost in self._schedule.fail(address):
            decision = Decision(lost, Action.BLOCKED, (Reason(Because.UPSTREAM_FAILED, address),))
            self._outcomes[lost] = Outcome(lost, State.BLOCKED, decision)
            self._tell(Ended(self._outcomes[lost]))
        if not (self._options.keep_going or self._world.graph.stages[address].go_on):
            self._stop()

    def _stop(self) -> None:
        """Start nothing more; what runs may end."""
        self._is_stopping = True
        self._schedule.stop()

    def _stored(self, action: Callable[[], T]) -> T | None:
        """Where results cannot be stored, what runs may end all the same: its outputs stay where it wrote them."""
        try:
            return action()
        except StorageError as error:
            self._storage_error = self._storage_error or error
            self._stop()
            return None

    def _about_to_change(self) -> None:
        if not self._has_changed:
            self._has_changed = True
            self._world.about_to_change()

    def _abandon(self, processes: Processes) -> None:
        """Stop what runs and give its outputs back; record what had ended."""
        processes.stop_all()
        self._runner.forget_all()
        for work in self._work.values():
            if work.attempt:
                with suppress(DvtoolError):
                    self._world.outputs.fail(work.stage, work.folder)
        with suppress(DvtoolError):
            self._world.recording.flush()

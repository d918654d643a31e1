"""What a run would do, all the way down, without starting anything."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import fields

from dvtool.api.planrequest import PlanRequest
from dvtool.disk.durable import write_file
from dvtool.errors import FormatError
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.lock import Json
from dvtool.formats.planfile import MAX_BYTES
from dvtool.formats.planfile import SavedPlan
from dvtool.formats.planfile import decode_plan
from dvtool.formats.planfile import encode_plan
from dvtool.model.paths import check_path
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.pipeline.outlook import Foreseen
from dvtool.pipeline.planning import saved_stage
from dvtool.pipeline.planning import what_changed
from dvtool.pipeline.targets import select
from dvtool.pipeline.types import Action
from dvtool.pipeline.types import Reason
from dvtool.project.foresight import foresee
from dvtool.project.foresight import past_seconds
from dvtool.project.foresight import to_fetch
from dvtool.project.open import Project
from dvtool.project.oplog import require_own
from dvtool.project.pipelines import Pipeline
from dvtool.project.pipelines import open_pipeline
from dvtool.store.gaps import Gap

__all__ = ["PlanRequest", "PlanResult", "PlannedStage", "check_plan", "plan", "read_plan", "request_of"]

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """``seconds``: of its last run, None where none is known. ``fetch_bytes``: recorded, needed and not here."""

    stage: str
    action: Action
    reasons: tuple[Reason, ...]
    seconds: float | None
    fetch_files: int
    fetch_bytes: int


@dataclass(frozen=True, slots=True)
class PlanResult:
    """``stages`` in the order of a run. ``saved``: the file that `apply` takes; None where none was asked for."""

    stages: tuple[PlannedStage, ...]
    saved: bytes | None = None

    def count(self, *actions: Action) -> int:
        """How many stages have one of these."""
        return sum(stage.action in actions for stage in self.stages)

    @property
    def is_up_to_date(self) -> bool:
        return self.count(Action.SKIP) == len(self.stages)

    @property
    def seconds(self) -> float:
        """How long it takes at most, one stage after the other, as far as it is known."""
        return sum(stage.seconds or 0.0 for stage in self.stages if stage.action in (Action.RUN, Action.MAY_RUN))

    @property
    def untimed(self) -> int:
        """Stages that may run and of which nobody knows how long they take."""
        return sum(stage.seconds is None for stage in self.stages if stage.action in (Action.RUN, Action.MAY_RUN))

    @property
    def fetch_bytes(self) -> int:
        return sum(stage.fetch_bytes for stage in self.stages)


def plan(
    project: Project, request: PlanRequest, reporter: Reporter = SILENT, *, save: bytes | None = None
) -> PlanResult:
    """Decide about every stage as a run would, stage by stage. *save*: write it there, for `apply`.

    Raises `UsageError`, `ConfigError`, `FormatError`, `UnsafeInput`, `StorageError`.
    """
    require_own(project.layout, "plan")
    with open_pipeline(project, reporter=reporter, allow_missing=request.allow_missing, pull=request.pull) as pipeline:
        found = _foreseen(pipeline, request, reporter)
        seconds = past_seconds(pipeline, reporter)
        wanted = to_fetch(pipeline, found)
        stages = tuple(
            _planned(each, seconds.get(address), wanted.get(address, Gap())) for address, each in found.items()
        )
        if save is not None:
            _save(project, save, encode_plan(_saved(pipeline, request, found)))
    return PlanResult(stages, save)


def read_plan(project: Project, path: bytes) -> SavedPlan:
    """A plan that was saved. Raises `UsageError` where there is none, `FormatError`, `StorageError`."""
    full = os.path.join(project.environment.cwd, path)
    try:
        with open(full, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no {show(path)}", path=path, hint="`dvtool plan -o FILE` writes one") from None
    except OSError as error:
        raise storage_error(error, "read", path) from error
    return decode_plan(data, show(path))


def request_of(saved: SavedPlan, where: str) -> tuple[PlanRequest, bytes]:
    """How the plan was asked for, and in which directory below the root. Raises `FormatError`, `UnsafeInput`."""
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in saved.request.items()}
    directory, targets = given.pop("directory", None), given.get("targets")
    types = {field.name: type(field.default) for field in fields(PlanRequest)}
    is_sound = given.keys() == types.keys() and all(type(given[name]) is types[name] for name in types)
    is_sound = is_sound and isinstance(targets, tuple) and all(isinstance(each, str) for each in targets)
    if not is_sound or not isinstance(directory, str):
        raise FormatError(f"{where}: not a dvtool plan", hint="`dvtool plan -o FILE` writes one")
    path = directory.encode("utf-8", "surrogateescape")
    if path:
        check_path(path, where)
    return PlanRequest(**given), path  # type: ignore[arg-type]


def check_plan(pipeline: Pipeline, saved: SavedPlan, request: PlanRequest, reporter: Reporter = SILENT) -> None:
    """Raise `UsageError` unless everything that the plan was made from is as it was then."""
    look = pipeline.anew()
    now = _saved(look, request, _foreseen(look, request, reporter))
    changes = [*_changes(saved, now)]
    if changes:
        more = f", and {len(changes) - _SHOWN:,} more" if len(changes) > _SHOWN else ""
        raise UsageError(
            f"the plan does not hold any more: {'; '.join(changes[:_SHOWN])}{more}",
            hint="nothing was run; look at what is to be done now: dvtool plan -o FILE",
        )


def _changes(before: SavedPlan, now: SavedPlan) -> Iterable[str]:
    for address in [*before.stages, *(each for each in now.stages if each not in before.stages)]:
        if address not in now.stages:
            yield f"stage {address} is gone"
        elif address not in before.stages:
            yield f"stage {address} is new"
        else:
            for words in what_changed(before.stages[address], now.stages[address]):
                yield f"stage {address}: {words}"


def _foreseen(pipeline: Pipeline, request: PlanRequest, reporter: Reporter) -> dict[str, Foreseen]:
    addresses = select(pipeline.graph, request.seen_from(pipeline.directory))
    return foresee(
        pipeline,
        addresses,
        force=frozenset(addresses) if request.force else frozenset(),
        force_downstream=request.force_downstream,
        run_cache=request.run_cache,
        pull=request.pull,
        reporter=reporter,
    )


def _planned(foreseen: Foreseen, seconds: float | None, gap: Gap) -> PlannedStage:
    decision = foreseen.decision
    return PlannedStage(decision.stage, decision.action, decision.reasons, seconds, gap.files, gap.size)


def _saved(pipeline: Pipeline, request: PlanRequest, found: Mapping[str, Foreseen]) -> SavedPlan:
    stages = pipeline.graph.stages
    directory = pipeline.directory.decode("utf-8", "surrogateescape")
    asked: dict[str, Json] = {**asdict(request), "targets": [*request.targets], "directory": directory}
    return SavedPlan(asked, {address: saved_stage(stages[address], each) for address, each in found.items()})


def _save(project: Project, path: bytes, data: bytes) -> None:
    try:
        write_file(os.path.join(project.environment.cwd, path), data, mode=0o600)
    except OSError as error:
        raise storage_error(error, "write", path) from error

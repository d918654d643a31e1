"""The run cache of DVC as ours: entries that state inputs and outputs by MD5, found by what the inputs are in MD5."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.formats.dvclock import decode_dvc_run
from dvtool.formats.lock import LockedStage
from dvtool.formats.runentry import decode_entry
from dvtool.formats.runentry import encode_entry
from dvtool.model.digest import Algorithm
from dvtool.pipeline.runcache import key_of
from dvtool.pipeline.types import DepKind
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import Stage
from dvtool.project.adoptedlocks import Restating
from dvtool.project.dvckeeping import ALIASES
from dvtool.project.dvclocks import convert_stage
from dvtool.project.open import Project
from dvtool.project.pipelines import Pipeline
from dvtool.store.cache import Cache
from dvtool.store.runfiles import RunFiles
from dvtool.store.runfiles import fits

RUNS = b".dvc/cache/runs"
_MOST_BYTES = 4 << 20


class Converted(NamedTuple):
    """An entry of ours, and when DVC wrote its own."""

    when: float
    key: str
    stage: LockedStage


def convert_runs(root: bytes, stages: Iterable[Stage]) -> list[Converted]:
    """Runs of stages that are still defined, the oldest first. What cannot be read costs a later run and is left."""
    known = tuple(stages)
    found = [one for path in _entries(os.path.join(root, RUNS)) for one in _converted(path, known)]
    return sorted(found, key=lambda one: one.when)


def keep_runs(cache: Cache, runs: Iterable[Converted]) -> int:
    """Write them into the run cache; how many are new. Raises `StorageError`."""
    files = RunFiles(cache)
    count = 0
    for run in runs:
        line = encode_entry(run.key, run.stage)
        if fits(line) and line not in files.lines_of(run.key):
            files.append(run.key, line)
            count += 1
    return count


def find_adopted(pipeline: Pipeline, stage: Stage, seen: Observation) -> LockedStage | None:
    """What a run of DVC made of exactly these inputs, each output by BLAKE3; None where that is not known."""
    project = pipeline.project
    if any(dep.kind is not DepKind.PATH for dep in stage.deps) or not _may_have_adopted(project):
        return None
    files = RunFiles(pipeline.cache)
    with Restating(project, pipeline.worktree) as restating:
        for algorithm in (Algorithm.MD5, Algorithm.MD5TEXT):
            deps = {dep.name: restating.stated(dep.path, algorithm) for dep in stage.deps}
            key = key_of(stage, replace(seen, deps=deps))
            line = None if key is None else next(files.lines_of(key), None)
            if key is None or line is None:
                continue
            try:
                record = decode_entry(line, "the run cache")[1]
                return restating.settled(record)
            except DvtoolError:
                continue
    return None


def _may_have_adopted(project: Project) -> bool:
    return os.path.exists(os.path.join(project.layout.clone_dir, ALIASES))


def _entries(folder: bytes) -> Iterator[bytes]:
    """``runs/ab/KEY/VALUE``."""
    for top, _, names in os.walk(folder):
        if len(top) > len(folder) + 60:
            yield from (os.path.join(top, name) for name in names if not name.startswith(b"."))


def _converted(path: bytes, stages: Iterable[Stage]) -> Iterator[Converted]:
    try:
        with open(path, "rb") as file:
            record = decode_dvc_run(file.read(_MOST_BYTES), "a run of DVC")
            when = os.fstat(file.fileno()).st_mtime
    except (OSError, DvtoolError):
        return
    for stage in stages:
        try:
            locked = convert_stage(stage, record, "a run of DVC")
        except DvtoolError:
            continue
        if locked.outs.keys() != {out.path for out in stage.outs} or len(locked.deps) != len(stage.deps):
            continue
        deps = {name: content._replace(executable=False) for name, content in locked.deps.items()}
        seen = Observation(dict(deps), locked.params, {})
        key = key_of(replace(stage, commands=record.commands, argv=()), seen)
        if key is not None:
            yield Converted(when, key, locked)

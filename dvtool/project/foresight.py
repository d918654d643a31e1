"""What a run would do now, as the project's locks, worktree and caches have it. Starts nothing."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping

from dvtool.errors import StorageError
from dvtool.formats.lock import Content
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import Storing
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.pipeline.outlook import Foreseen
from dvtool.pipeline.outlook import outlook
from dvtool.pipeline.runcache import KnownRuns
from dvtool.pipeline.runs import Runs
from dvtool.pipeline.types import Action
from dvtool.pipeline.types import DepKind
from dvtool.project.adoptedruns import find_adopted
from dvtool.project.pipelines import Pipeline
from dvtool.project.sharedruns import open_run_cache
from dvtool.store.gaps import Gap
from dvtool.workspace.sinks import is_small

_AS_ALL = Storing()


def foresee(
    pipeline: Pipeline,
    addresses: Iterable[str],
    *,
    force: Collection[str] = (),
    force_downstream: bool = False,
    run_cache: bool = True,
    pull: bool = False,
    reporter: Reporter = SILENT,
) -> dict[str, Foreseen]:
    """A decision for each of *addresses*, in the order of a run, and what it rests on.

    *run_cache*: what earlier runs made counts. *pull*: so does what is recorded and not here, as it can be fetched;
    the pipeline was opened so, too. The pipeline's observer must not be asked any more after this: what is to be
    restored stands there for it.
    """

    def can_be_had(record: LockedStage) -> bool:
        # A small output is kept for the run cache even where its stage says `cache: false`.
        return all(
            pipeline.gap(content) == Gap()
            or pipeline.observer.content(path) == content
            or (pull and (record.storing.get(path, _AS_ALL).cache or is_small(content.size)))
            for path, content in record.outs.items()
        )

    known = KnownRuns(
        open_run_cache(pipeline.project, pipeline.cache, reporter),
        can_be_had,
        lambda stage, seen: find_adopted(pipeline, stage, seen),
    )
    observer = pipeline.observer
    return outlook(
        pipeline.graph,
        addresses,
        pipeline.locks.of,
        observer.observe,
        pipeline.in_reach if pull else pipeline.in_cache,
        earlier=known.find if run_cache else None,
        learn=observer.learn,
        force=force,
        force_downstream=force_downstream,
    )


def to_fetch(pipeline: Pipeline, found: Mapping[str, Foreseen]) -> dict[str, Gap]:
    """What each stage needs that is recorded and not here, by stage; what several need counts for the first."""
    seen: set[Content] = set()
    wanted: dict[str, Gap] = {}
    for address, foreseen in found.items():
        if foreseen.decision.action is Action.SKIP:
            continue
        needed = [*(foreseen.source.outs.values() if foreseen.source is not None else ())]
        for dep in pipeline.graph.stages[address].deps:
            content = foreseen.seen.deps.get(dep.name)
            if dep.kind is DepKind.PATH and content is not None and pipeline.worktree.stat(dep.path) is None:
                needed.append(content)
        files = size = 0
        for content in needed:
            if content not in seen:
                seen.add(content)
                gap = pipeline.gap(content)
                files, size = files + gap.files, size + gap.size
        if files:
            wanted[address] = Gap(files, size)
    return wanted


def past_seconds(pipeline: Pipeline, reporter: Reporter = SILENT) -> dict[str, float]:
    """How long each stage took when it ran last, by the records of this workspace; empty where they fail."""
    try:
        return Runs(pipeline.project.layout.state_dir, reporter).seconds()
    except StorageError:
        return {}

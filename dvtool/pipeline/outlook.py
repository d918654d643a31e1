"""What would be done with every stage now: looks, and starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from dvtool.formats.lock import Content
from dvtool.formats.lock import LockedStage
from dvtool.model.paths import is_below
from dvtool.pipeline.decide import Known
from dvtool.pipeline.decide import decide
from dvtool.pipeline.globs import may_match_below
from dvtool.pipeline.graph import Graph
from dvtool.pipeline.types import Action
from dvtool.pipeline.types import Decision
from dvtool.pipeline.types import DepKind
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import Stage

PENDING = frozenset({Action.RUN, Action.MAY_RUN, Action.BLOCKED})


class Foreseen(NamedTuple):
    """One stage: what is to be done, what was seen of it, what is recorded. ``source``: what would be restored."""

    decision: Decision
    seen: Observation
    record: LockedStage | None
    source: LockedStage | None = None


def outlook(
    graph: Graph,
    addresses: Iterable[str],
    locked: Callable[[Stage], LockedStage | None],
    observe: Callable[[Stage], Observation],
    in_cache: Callable[[LockedStage], bool],
    *,
    earlier: Callable[[Stage, Observation], LockedStage | None] | None = None,
    learn: Callable[[Mapping[bytes, Content]], None] | None = None,
    force: Collection[str] = (),
    force_downstream: bool = False,
) -> dict[str, Foreseen]:
    """A decision for each of *addresses*, in the order of a run.

    *in_cache*: whether the bytes of all outputs of a record are at hand; asked only where an output differs. A stage
    behind one that runs, may run or is blocked waits for it, as in a run of all of them. *earlier*: what the run cache
    has for exactly these inputs. *learn* is told what stands there once a stage is restored: so the stages behind it
    are decided as they will be; one that reads only a part of it waits like behind one that may run.
    """
    found: dict[str, Foreseen] = {}
    restored: dict[str, Collection[bytes]] = {}
    for address in graph.order(addresses):
        stage = graph.stages[address]
        record, seen = locked(stage), observe(stage)
        before = [each for each in graph.above[address] if each in found]
        above = [
            each
            for each in before
            if found[each].decision.action in PENDING or (each in restored and not _reads_whole(stage, restored[each]))
        ]
        is_forced = address in force or (
            force_downstream and not stage.frozen and any(found[each].decision.action is Action.RUN for each in before)
        )
        at_hand = record is not None and _outputs_differ(record, seen) and in_cache(record)
        expected = _made_by(stage, [out.path for each in above for out in graph.stages[each].outs])
        known = Known(is_forced, above, expected, at_hand)
        decision, source = decide(stage, record, seen, known), record
        if decision.action is Action.RUN and not (above or is_forced or stage.always_changed) and earlier is not None:
            source = earlier(stage, seen)
            if source is not None:
                known = Known(recorded_in_cache=at_hand, earlier=source)
                decision = decide(stage, record, seen, known)
        if decision.action in PENDING and any(found[each].decision.action is Action.BLOCKED for each in above):
            decision = replace(decision, action=Action.BLOCKED)
        is_restored = decision.action is Action.RESTORE and source is not None
        found[address] = Foreseen(decision, seen, record, source if is_restored else None)
        if is_restored and source is not None and learn is not None:
            learn(source.outs)
            restored[address] = source.outs.keys()
    return found


def _outputs_differ(record: LockedStage, seen: Observation) -> bool:
    return any(seen.outs.get(path) != content for path, content in record.outs.items())


def _reads_whole(stage: Stage, paths: Collection[bytes]) -> bool:
    """Whether of *paths* the stage reads none but as a file or directory as a whole."""
    for dep in stage.deps:
        if dep.kind is DepKind.PATH and dep.path in paths:
            continue
        if dep.kind is DepKind.GLOB:
            if any(may_match_below(dep.path, path) for path in paths):
                return False
        elif dep.path and any(_overlap(dep.path, path) for path in paths):
            return False
    return not any(_overlap(params.file, path) for params in stage.params for path in paths)


def _made_by(stage: Stage, paths: Collection[bytes]) -> frozenset[str]:
    """The dependencies of *stage* that lie at, above or below *paths*."""
    if not paths:
        return frozenset()
    return frozenset(
        dep.name
        for dep in stage.deps
        if (
            any(may_match_below(dep.path, path) for path in paths)
            if dep.kind is DepKind.GLOB
            else dep.path and any(_overlap(dep.path, path) for path in paths)
        )
    )


def _overlap(one: bytes, other: bytes) -> bool:
    return is_below(one, other) or is_below(other, one)

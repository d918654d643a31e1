"""What would be done with every stage now: looks, and starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

from dvtool.formats.lock import LockedStage
from dvtool.pipeline.decide import Known
from dvtool.pipeline.decide import decide
from dvtool.pipeline.graph import Graph
from dvtool.pipeline.types import Action
from dvtool.pipeline.types import Decision
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import Stage

PENDING = frozenset({Action.RUN, Action.MAY_RUN, Action.BLOCKED})


def outlook(
    graph: Graph,
    addresses: Iterable[str],
    locked: Callable[[Stage], LockedStage | None],
    observe: Callable[[Stage], Observation],
    in_cache: Callable[[LockedStage], bool],
) -> Mapping[str, Decision]:
    """A decision for each of *addresses*, in the order of a run.

    *in_cache*: whether the bytes of all outputs of a record are at hand; asked only where an output differs. A stage
    behind one that runs, may run or is blocked waits for it, as in a run of all of them.
    """
    found: dict[str, Decision] = {}
    for address in graph.order(addresses):
        stage = graph.stages[address]
        record = locked(stage)
        seen = observe(stage)
        above = [each for each in graph.above[address] if each in found and found[each].action in PENDING]
        at_hand = record is not None and _outputs_differ(record, seen) and in_cache(record)
        found[address] = decide(stage, record, seen, Known(above=above, recorded_in_cache=at_hand))
    return found


def _outputs_differ(record: LockedStage, seen: Observation) -> bool:
    return any(seen.outs.get(path) != content for path, content in record.outs.items())

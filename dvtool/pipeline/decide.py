"""What is to be done with a stage, and why: a pure function of what is recorded and what is there."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from dvtool.formats.lock import Content
from dvtool.formats.lock import Json
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import value_text
from dvtool.model.paths import show
from dvtool.pipeline.types import Action
from dvtool.pipeline.types import Because
from dvtool.pipeline.types import Decision
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import Reason
from dvtool.pipeline.types import Stage


@dataclass(frozen=True, slots=True)
class Known:
    """What else counts. ``force``: run whatever is recorded. ``above``: stages before this one that run, or may run,
    in the same plan; empty once they are through. ``expected``: dependencies that those are to make, so that what
    stands there now says nothing; None where that is not known. ``recorded_in_cache``: the bytes of all recorded
    outputs are at hand. ``earlier``: what the run cache has for exactly these inputs, with its bytes at hand."""

    force: bool = False
    above: Sequence[str] = ()
    expected: Collection[str] | None = None
    recorded_in_cache: bool = False
    earlier: LockedStage | None = None


def decide(stage: Stage, locked: LockedStage | None, seen: Observation, known: Known = Known()) -> Decision:
    """One stage's action with every reason, the weightiest first.

    A frozen stage's dependencies and parameters count as unchanged. A missing dependency blocks, unless a stage that
    runs before is to make it. Outputs alone that differ from the record are restored where the cache has them.
    """
    inputs = [*_demanded(stage, known), *_known_changes(stage, locked, seen, known)]
    missing = [reason for reason in inputs if reason.because is Because.DEP_MISSING]
    upstream = [] if stage.frozen else [Reason(Because.UPSTREAM_RUNS, address) for address in known.above]
    if missing and (not upstream or known.expected is not None):
        return Decision(stage.address, Action.BLOCKED, (*missing, *_without(inputs, missing)))
    outputs = [] if locked is None else [*_out_changes(stage, locked, seen)]
    is_sure = [reason for reason in inputs if reason.because is not Because.DEP_UNCHECKED]
    reasons = (*inputs, *outputs, *upstream)
    if not reasons:
        because = Because.FROZEN if stage.frozen else Because.UNCHANGED
        return Decision(stage.address, Action.SKIP, (Reason(because),))
    if not is_sure and not _need_run(outputs, known) and (upstream or inputs):
        return Decision(stage.address, Action.MAY_RUN, reasons)
    if known.force or stage.always_changed:
        return Decision(stage.address, Action.RUN, reasons)
    if known.earlier is not None and not upstream:
        return Decision(stage.address, Action.RESTORE, (*reasons, Reason(Because.RUN_CACHED)))
    if not inputs and not upstream and known.recorded_in_cache and not _need_run(outputs, known):
        return Decision(stage.address, Action.RESTORE, reasons)
    return Decision(stage.address, Action.RUN, reasons)


def _demanded(stage: Stage, known: Known) -> Iterator[Reason]:
    if known.force:
        yield Reason(Because.FORCED)
    if stage.always_changed:
        yield Reason(Because.ALWAYS)


def _known_changes(stage: Stage, locked: LockedStage | None, seen: Observation, known: Known) -> Iterator[Reason]:
    expected = known.expected or ()
    for reason in _input_changes(stage, locked, seen):
        if reason.because not in (Because.DEP_MISSING, Because.DEP_CHANGED) or reason.subject not in expected:
            yield reason


def _input_changes(stage: Stage, locked: LockedStage | None, seen: Observation) -> Iterator[Reason]:
    if locked is None:
        yield Reason(Because.NEVER_RAN)
        if not stage.frozen:
            yield from (Reason(Because.DEP_MISSING, name) for name, content in seen.deps.items() if content is None)
        return
    if (stage.commands, stage.argv) != (locked.commands, locked.argv):
        before, after = (" && ".join(each.commands) or " ".join(each.argv) for each in (locked, stage))
        yield Reason(Because.COMMAND_CHANGED, "", before, after)
    if stage.frozen:
        return
    yield from _param_changes(locked.params, seen.params)
    yield from _dep_changes(stage, locked.deps, seen.deps)


def _param_changes(
    before: Mapping[bytes, Mapping[str, Json]], after: Mapping[bytes, Mapping[str, Json]]
) -> Iterator[Reason]:
    for file in sorted(before.keys() | after.keys()):
        old, new = before.get(file, {}), after.get(file, {})
        for key in sorted(old.keys() | new.keys()):
            if key in old and key in new and _is_same(old[key], new[key]):
                continue
            before_text = value_text(old[key]) if key in old else ""
            after_text = value_text(new[key]) if key in new else ""
            if key in old and key in new:
                if before_text == after_text:
                    continue
                because = Because.PARAM_CHANGED
            else:
                because = Because.PARAM_ADDED if key in new else Because.PARAM_REMOVED
            yield Reason(because, f"{show(file)}:{key}", before_text, after_text)


def _is_same(one: Json, other: Json) -> bool:
    """True for equal texts and numbers of one type, which nearly all are; their texts need not be made."""
    return type(one) is type(other) and isinstance(one, (str, int)) and one == other


def _dep_changes(stage: Stage, before: Mapping[str, Content], after: Mapping[str, Content | None]) -> Iterator[Reason]:
    names = [dep.name for dep in stage.deps]
    for name in names:
        if name not in after:
            yield Reason(Because.DEP_UNCHECKED, name)
            continue
        now, then = after[name], before.get(name)
        if now is None:
            yield Reason(Because.DEP_MISSING, name)
        elif then is None:
            yield Reason(Because.DEP_ADDED, name, "", str(now.digest))
        elif _differ(then, now):
            yield Reason(Because.DEP_CHANGED, name, str(then.digest), str(now.digest))
    yield from (Reason(Because.DEP_REMOVED, name) for name in sorted(before.keys() - set(names)))


def _out_changes(stage: Stage, locked: LockedStage, seen: Observation) -> Iterator[Reason]:
    paths = [out.path for out in stage.outs]
    for path in paths:
        then, now = locked.outs.get(path), seen.outs.get(path)
        if then is None:
            yield Reason(Because.OUT_ADDED, show(path))
        elif now is None:
            yield Reason(Because.OUT_MISSING, show(path))
        elif _differ(then, now):
            yield Reason(Because.OUT_CHANGED, show(path), str(then.digest), str(now.digest))
    yield from (Reason(Because.OUT_REMOVED, show(path)) for path in sorted(locked.outs.keys() - set(paths)))


def _need_run(outputs: Sequence[Reason], known: Known) -> bool:
    """Whether the outputs alone ask for a run: one is new, or one that differs cannot be taken from the cache."""
    for reason in outputs:
        if reason.because is Because.OUT_ADDED:
            return True
        if reason.because in (Because.OUT_MISSING, Because.OUT_CHANGED) and not known.recorded_in_cache:
            return True
    return False


def _differ(one: Content, other: Content) -> bool:
    return (one.kind, one.digest, one.executable) != (other.kind, other.digest, other.executable)


def _without(reasons: Sequence[Reason], some: Sequence[Reason]) -> list[Reason]:
    return [reason for reason in reasons if reason not in some]

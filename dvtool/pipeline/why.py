"""Why stages would run: every chain of causes, down to what a person or a commit changed."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.pipeline.graph import Graph
from dvtool.pipeline.types import Action
from dvtool.pipeline.types import Because
from dvtool.pipeline.types import Decision
from dvtool.pipeline.types import DepKind
from dvtool.pipeline.types import Reason
from dvtool.pipeline.types import Stage


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason of one stage. ``leads_to``: the stage whose own causes are behind this one, empty at a chain's end.

    ``file``: what was changed, where it is a file of the project that no stage makes; ``key``: the parameter in it.
    """

    reason: Reason
    leads_to: str = ""
    file: bytes = b""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """One stage, what would be done with it, and its causes, the weightiest first.

    ``past``: the causes are those of its last run, which made what another stage has to follow.
    """

    stage: str
    action: Action
    causes: tuple[Cause, ...]
    past: bool = False


def explain(
    graph: Graph,
    decisions: Mapping[str, Decision],
    targets: Iterable[str],
    past: Callable[[str], Sequence[Reason]] = lambda _: (),
) -> list[Explained]:
    """*targets*, then each stage that a chain of causes goes through, once, in the order in which they are met.

    *past*: why a stage ran last. That is asked where a dependency changed and its maker is up to date again.
    """
    found: dict[str, Explained] = {}
    pending = [*targets]
    asked = set(pending)
    for address in pending:
        if address in found:
            continue
        decision = decisions[address]
        reasons: Sequence[Reason] = decision.reasons
        is_past = decision.action is Action.SKIP and address not in asked
        if is_past:
            reasons = past(address)
        causes = tuple(_cause(graph, graph.stages[address], decisions, each) for each in reasons)
        found[address] = Explained(address, decision.action, _without_doubles(causes), is_past)
        pending += [cause.leads_to for cause in causes if cause.leads_to]
    return [*found.values()]


def _cause(graph: Graph, stage: Stage, decisions: Mapping[str, Decision], reason: Reason) -> Cause:
    because, subject = reason.because, reason.subject
    if because in (Because.UPSTREAM_RUNS, Because.UPSTREAM_FAILED):
        return Cause(reason, subject if subject in decisions else "")
    if because in (Because.PARAM_CHANGED, Because.PARAM_ADDED, Because.PARAM_REMOVED):
        for params in stage.params:
            head = f"{show(params.file)}:"
            if subject.startswith(head):
                return Cause(reason, "", params.file, subject[len(head) :])
        return Cause(reason)
    if because in (Because.DEP_CHANGED, Because.DEP_ADDED, Because.DEP_MISSING):
        for dep in stage.deps:
            if dep.name == subject and dep.path and dep.kind is not DepKind.GLOB:
                maker = _maker(graph, stage, dep.path)
                return Cause(reason, maker if maker in decisions else "", b"" if maker else dep.path)
    if because is Because.COMMAND_CHANGED:
        return Cause(reason, "", stage.file)
    return Cause(reason)


def _maker(graph: Graph, stage: Stage, path: bytes) -> str:
    """The stage that writes *path*, something it lies in, or something in it; empty for none."""
    for address in graph.above[stage.address]:
        if any(is_below(out.path, path) or is_below(path, out.path) for out in graph.stages[address].outs):
            return address
    return ""


def _without_doubles(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """Several dependencies on one stage that runs are one cause; the one that names a path says most."""
    seen: set[str] = set()
    kept = []
    for cause in causes:
        if cause.leads_to and cause.reason.because is Because.UPSTREAM_RUNS and cause.leads_to in seen:
            continue
        seen.add(cause.leads_to)
        kept.append(cause)
    return tuple(kept)

"""The graph as it is shown: stages and tracked data, or the files that they make."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.pipeline.globs import may_match_below
from dvtool.pipeline.graph import Graph
from dvtool.pipeline.types import DepKind
from dvtool.pipeline.types import Stage
from dvtool.pipeline.types import address_of


@dataclass(frozen=True, slots=True)
class Node:
    """``kind``: "stage", "data" (a tracked path by its pointer) or "output" (a path that a stage or a pointer owns).

    ``stage``: whose output it is. ``count``: stages that one line stands for, where groups are folded.
    """

    name: str
    kind: str
    stage: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class View:
    """``nodes`` by name, each behind all that it needs; ``above``: what each needs directly, in that order."""

    nodes: Mapping[str, Node]
    above: Mapping[str, Sequence[str]]

    @property
    def edges(self) -> list[tuple[str, str]]:
        """What is needed, and what needs it."""
        return [(before, name) for name, needed in self.above.items() for before in needed]


def stage_view(graph: Graph, tracked: Mapping[bytes, bytes]) -> View:
    """Stages, and the pointers of tracked data (*tracked*: path to pointer) that none or some of them read."""
    nodes = {show(pointer): Node(show(pointer), "data") for pointer in tracked.values()}
    above: dict[str, list[str]] = {name: [] for name in nodes}
    readers = _Readers(tracked)
    for address in graph.order(graph.stages):
        nodes[address] = Node(address, "stage")
        data = [show(tracked[path]) for path in readers.read_by(graph.stages[address])]
        above[address] = [*dict.fromkeys([*data, *graph.above[address]])]
    return View(nodes, above)


def output_view(graph: Graph, tracked: Mapping[bytes, bytes]) -> View:
    """Every owned path: an output needs those that its stage reads. A stage without outputs is not in it."""
    nodes = {show(path): Node(show(path), "output") for path in tracked}
    above: dict[str, list[str]] = {name: [] for name in nodes}
    readers = _Readers([*tracked, *graph.producers])
    for address in graph.order(graph.stages):
        stage = graph.stages[address]
        needed = [show(path) for path in readers.read_by(stage) if graph.producers.get(path) != address]
        for out in stage.outs:
            name = show(out.path)
            nodes[name] = Node(name, "output", address)
            above[name] = needed
    return View(nodes, above)


def chosen(view: View, targets: Iterable[str], *, full: bool) -> View:
    """*targets* and all that they need; *full*: all that hangs together with them."""
    near = {name: [*needed] for name, needed in view.above.items()}
    if full:
        for before, name in view.edges:
            near[before].append(name)
    kept = set(targets)
    pending = list(kept)
    while pending:
        for each in near[pending.pop()]:
            if each not in kept:
                kept.add(each)
                pending.append(each)
    return View(
        {name: node for name, node in view.nodes.items() if name in kept},
        {name: [each for each in needed if each in kept] for name, needed in view.above.items() if name in kept},
    )


def folded(view: View, graph: Graph) -> View:
    """The stages that one ``foreach`` or ``matrix`` made are one node, as long as nothing lies between them."""
    names = {
        address: address_of(stage.file, stage.group) if stage.group else address
        for address, stage in graph.stages.items()
    }
    nodes: dict[str, Node] = {}
    above: dict[str, dict[str, None]] = {}
    for name, node in view.nodes.items():
        into = names.get(name, name)
        count = nodes[into].count + 1 if into in nodes else 1
        nodes[into] = Node(into, node.kind, node.stage, count)
        needed = (names.get(each, each) for each in view.above[name])
        above.setdefault(into, {}).update((each, None) for each in needed if each != into)
    return _ordered(nodes, above)


def _ordered(nodes: Mapping[str, Node], above: Mapping[str, Mapping[str, None]]) -> View:
    """Each behind what it needs; what waits for itself across a fold comes last."""
    waits = {name: len(needed) for name, needed in above.items()}
    below: dict[str, list[str]] = {name: [] for name in nodes}
    for name, needed in above.items():
        for each in needed:
            below[each].append(name)
    order = [name for name, count in waits.items() if not count]
    for name in order:
        for after in below[name]:
            waits[after] -= 1
            if not waits[after]:
                order.append(after)
    order += [name for name in nodes if waits[name]]
    return View({name: nodes[name] for name in order}, {name: [*above[name]] for name in order})


class _Readers:
    """Which of some paths a stage reads, wholly or in part."""

    def __init__(self, paths: Iterable[bytes]) -> None:
        self._paths = sorted(paths)
        self._above: dict[bytes, list[bytes]] = {}
        self._exact = set(self._paths)
        for path in self._paths:
            for parent in _parents(path):
                self._above.setdefault(parent, []).append(path)

    def read_by(self, stage: Stage) -> list[bytes]:
        found: dict[bytes, None] = {}
        for dep in stage.deps:
            if dep.kind is DepKind.GLOB:
                near = [path for path in self._paths if may_match_below(dep.path, path)]
                found |= dict.fromkeys(near)
            elif dep.path:
                found |= dict.fromkeys(self._near(dep.path))
        for params in stage.params:
            found |= dict.fromkeys(self._near(params.file))
        return [*found]

    def _near(self, path: bytes) -> list[bytes]:
        if path in self._exact:
            return [path]
        inside = [parent for parent in _parents(path) if parent in self._exact]
        return [*inside, *(self._above.get(path, ()) if path else self._paths)]


def _parents(path: bytes) -> list[bytes]:
    parts = path.split(b"/")[:-1]
    return [b"/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def targets_in(view: View, graph: Graph, stages: Iterable[str], path: bytes | None) -> list[str]:
    """The nodes that stand for *stages* in *view*, or for the outputs at, above or below *path*."""
    wanted = set(stages)
    if path is not None:
        hits = [show(out) for out in graph.producers if is_below(out, path) or is_below(path, out)]
        named = [name for name in hits if name in view.nodes]
        if named:
            return named
    return [name for name, node in view.nodes.items() if (node.stage or name) in wanted]

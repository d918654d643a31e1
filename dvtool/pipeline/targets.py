"""Which stages a command is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from dvtool.errors import UsageError
from dvtool.model.paths import DEFINITION_NAME
from dvtool.model.paths import is_below
from dvtool.model.paths import join
from dvtool.pipeline.graph import Graph
from dvtool.pipeline.types import Stage
from dvtool.pipeline.types import address_of


@dataclass(frozen=True, slots=True)
class StageChoice:
    """Which stages the user means.

    ``single``: no upstream stages. ``pipeline``: whole pipelines that the targets belong to; ``everything``: all of the
    project. ``recursive``: targets are directories. ``downstream``: from the targets down. ``glob``: targets are
    patterns of stage names.
    """

    targets: tuple[str, ...] = ()
    single: bool = False
    pipeline: bool = False
    everything: bool = False
    recursive: bool = False
    downstream: bool = False
    glob: bool = False

    def seen_from(self, directory: bytes) -> TargetRequest:
        """The same, where the user stands in *directory*."""
        return TargetRequest(
            self.targets,
            self.single,
            self.pipeline,
            self.everything,
            self.recursive,
            self.downstream,
            self.glob,
            directory=directory,
        )


@dataclass(frozen=True, slots=True)
class TargetRequest(StageChoice):
    """``directory``: where the user stands, relative to the root."""

    directory: bytes = b""


def select(graph: Graph, request: TargetRequest) -> list[str]:
    """The stages to look at, each behind what it needs. Raises `UsageError` for a target that is none."""
    named = named_stages(graph, request)
    if request.everything:
        chosen = set(graph.stages)
    elif request.pipeline:
        chosen = graph.connected(named)
    elif request.downstream:
        chosen = graph.downstream(named)
    elif request.single:
        chosen = set(named)
    else:
        chosen = graph.upstream(named)
    return graph.order(chosen)


def named_stages(graph: Graph, request: TargetRequest) -> list[str]:
    """The stages that the targets name; without targets those of the definition in ``directory``."""
    if request.everything and not request.targets:
        return list(graph.stages)
    if not request.targets:
        own = join(request.directory, DEFINITION_NAME)
        return [address for address, stage in graph.stages.items() if stage.file == own]
    found: dict[str, None] = {}
    for target in request.targets:
        hits = _named(graph, request, target)
        if not hits:
            raise _no_such(graph, request, target)
        found |= dict.fromkeys(hits)
    return list(found)


def _named(graph: Graph, request: TargetRequest, target: str) -> list[str]:
    path, file = _paths(request.directory, target)
    stages = graph.stages.items()
    if request.recursive:
        return [address for address, stage in stages if is_below(_folder(stage), path)]
    if request.glob:
        return [address for address, stage in stages if fnmatchcase(_short(stage, request.directory), target)]
    exact = address_of(file, target.rpartition(":")[2])
    if exact in graph.stages:
        return [exact]
    group = [address for address, stage in stages if stage.group and address_of(stage.file, stage.group) == exact]
    if group:
        return group
    whole = [address for address, stage in stages if stage.file in (path, join(path, DEFINITION_NAME))]
    if whole:
        return whole
    producer = graph.producers.get(path)
    return [] if producer is None else [producer]


def _paths(directory: bytes, target: str) -> tuple[bytes, bytes]:
    """*target* as a path from the root, and the definition that it names or that lies in *directory*."""
    text = target.encode("utf-8", "surrogateescape")
    before, colon, _ = text.rpartition(b":")
    own = join(directory, DEFINITION_NAME)
    return _normal(join(directory, text)), _normal(join(directory, before)) if colon and before else own


def _normal(path: bytes) -> bytes:
    parts: list[bytes] = []
    for name in path.split(b"/"):
        if name == b"..":
            del parts[-1:]
        elif name not in (b"", b"."):
            parts.append(name)
    return b"/".join(parts)


def _folder(stage: Stage) -> bytes:
    return stage.file.rpartition(b"/")[0]


def _short(stage: Stage, directory: bytes) -> str:
    """The name as the user would type it."""
    return stage.name if stage.file == join(directory, DEFINITION_NAME) else stage.address


def _no_such(graph: Graph, request: TargetRequest, target: str) -> UsageError:
    known: Iterable[str] = {_short(stage, request.directory) for stage in graph.stages.values()}
    near = get_close_matches(target, sorted(known), n=3)
    hint = f"did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else "`dvtool stage list` shows them"
    return UsageError(f"{target}: no stage, definition or output of that name", hint=hint)

"""The graph of stages: which reads what another one writes, and who owns which path."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify
from heapq import heappop
from heapq import heappush
from typing import NamedTuple

from dvtool.errors import ConfigError
from dvtool.model.paths import show
from dvtool.pipeline.globs import may_match_below
from dvtool.pipeline.globs import static_prefix
from dvtool.pipeline.types import Definition
from dvtool.pipeline.types import DepKind
from dvtool.pipeline.types import Mark
from dvtool.pipeline.types import Stage


@dataclass(frozen=True, slots=True)
class Graph:
    """``stages`` by address in the order of their definitions; ``above`` and ``below`` are the direct neighbours of
    each, in that order; ``producers``: the stage that writes a path."""

    stages: Mapping[str, Stage]
    above: Mapping[str, Sequence[str]]
    below: Mapping[str, Sequence[str]]
    producers: Mapping[bytes, str]

    def upstream(self, addresses: Iterable[str]) -> set[str]:
        """These stages and all that they need."""
        return _reached(addresses, self.above)

    def downstream(self, addresses: Iterable[str]) -> set[str]:
        """These stages and all that need them."""
        return _reached(addresses, self.below)

    def connected(self, addresses: Iterable[str]) -> set[str]:
        """Whole pipelines: all that hang together with these stages, in either direction."""
        found = set(addresses)
        pending = list(found)
        while pending:
            address = pending.pop()
            for near in (*self.above[address], *self.below[address]):
                if near not in found:
                    found.add(near)
                    pending.append(near)
        return found

    def order(self, addresses: Iterable[str]) -> list[str]:
        """These stages, each behind all that it needs; otherwise in the order of their definitions."""
        chosen = set(addresses)
        number = {address: at for at, address in enumerate(self.stages)}
        waits = {address: sum(each in chosen for each in self.above[address]) for address in chosen}
        ready = [number[address] for address, count in waits.items() if not count]
        heapify(ready)
        names = list(self.stages)
        ordered: list[str] = []
        while ready:
            address = names[heappop(ready)]
            ordered.append(address)
            for after in self.below[address]:
                if after in chosen:
                    waits[after] -= 1
                    if not waits[after]:
                        heappush(ready, number[after])
        return ordered


class _Claim(NamedTuple):
    """Who writes a path. ``where`` is what a person looks for: a place in a definition, or a pointer."""

    who: str
    where: str
    address: str | None


def build(definitions: Iterable[Definition], tracked: Mapping[bytes, bytes]) -> Graph:
    """The graph of all stages. *tracked*: each path that a pointer stands for, and the pointer.

    Raises `ConfigError` where two own the same path or one path lies in the other, and where stages need each other in
    a circle; both places are named.
    """
    stages: dict[str, Stage] = {}
    for definition in definitions:
        for stage in definition.stages:
            stages[stage.address] = stage
    claims = {path: _Claim("tracked data", show(pointer), None) for path, pointer in tracked.items()}
    for address, stage in stages.items():
        for out in stage.outs:
            claim = _Claim(f"stage {address}", _place(out.at), address)
            before = claims.setdefault(out.path, claim)
            if before is not claim:
                raise _twice(out.path, before, claim)
    owners = _Owners(claims)
    owners.check()
    above = {address: _needs(stage, owners) for address, stage in stages.items()}
    below: dict[str, list[str]] = {address: [] for address in stages}
    for address, needed in above.items():
        for each in needed:
            below[each].append(address)
    producers = {path: claim.address for path, claim in claims.items() if claim.address is not None}
    graph = Graph(stages, above, below, producers)
    _check_no_circle(graph)
    return graph


def _needs(stage: Stage, owners: _Owners) -> list[str]:
    found: dict[str, Mark] = {}
    for dep in stage.deps:
        if dep.kind is DepKind.GLOB:
            # What a stage writes itself is no dependency of it, however wide its pattern is.
            near = (each for each in owners.near(static_prefix(dep.path)) if may_match_below(dep.path, each[0]))
            found |= {address: dep.at for _, address in near if address != stage.address}
        elif dep.path:
            found |= {address: dep.at for _, address in owners.near(dep.path)}
    for params in stage.params:
        found |= {address: params.at for _, address in owners.near(params.file)}
    if stage.address in found:
        raise ConfigError(
            f"{_place(found[stage.address])}: stage {stage.address} depends on its own output",
            path=stage.file,
            hint="name it under `outs` or under `deps`, not under both",
        )
    return list(found)


class _Owners:
    """Finds who writes a path, something above it, or something below it."""

    def __init__(self, claims: Mapping[bytes, _Claim]) -> None:
        self._claims = claims
        self._paths = sorted(claims)

    def check(self) -> None:
        """Raise `ConfigError` if an owned path lies in another one."""
        for path in self._paths:
            for parent in _parents(path):
                if parent in self._claims:
                    raise _inside(path, self._claims[path], parent, self._claims[parent])

    def near(self, path: bytes) -> Iterator[tuple[bytes, str]]:
        """Outputs that are *path*, lie above it or below it, with the stages that write them. Tracked data is none."""
        for each in (path, *_parents(path)):
            claim = self._claims.get(each)
            if claim is not None and claim.address is not None:
                yield each, claim.address
        prefix = path + b"/" if path else b""
        for at in range(bisect_left(self._paths, prefix), len(self._paths)):
            each = self._paths[at]
            if not each.startswith(prefix):
                return
            address = self._claims[each].address
            if address is not None:
                yield each, address


def _reached(addresses: Iterable[str], neighbours: Mapping[str, Sequence[str]]) -> set[str]:
    found = set(addresses)
    pending = list(found)
    while pending:
        for near in neighbours[pending.pop()]:
            if near not in found:
                found.add(near)
                pending.append(near)
    return found


def _parents(path: bytes) -> Iterator[bytes]:
    at = path.rfind(b"/")
    while at > 0:
        yield path[:at]
        at = path.rfind(b"/", 0, at)


def _check_no_circle(graph: Graph) -> None:
    ordered = graph.order(graph.stages)
    if len(ordered) == len(graph.stages):
        return
    left = graph.stages.keys() - set(ordered)
    # Each of those needs another of those: walking up must come back to one that was seen.
    walked: list[str] = [next(address for address in graph.stages if address in left)]
    while walked.index(walked[-1]) == len(walked) - 1:
        walked.append(next(each for each in graph.above[walked[-1]] if each in left))
    circle = walked[walked.index(walked[-1]) : -1][::-1]
    first = graph.stages[circle[0]]
    raise ConfigError(
        f"{_place(first.at)}: stages need each other in a circle: {' -> '.join([*circle, circle[0]])}",
        path=first.file,
        hint="; ".join(f"{address} stands in {_place(graph.stages[address].at)}" for address in circle[1:4])
        or "take one of the dependencies out",
    )


def _place(mark: Mark) -> str:
    return f"{show(mark.file)}:{mark.line}"


def _twice(path: bytes, one: _Claim, other: _Claim) -> ConfigError:
    return ConfigError(
        f"{other.where}: {show(path)} belongs to {other.who} and to {one.who} ({one.where})",
        path=path,
        hint=_one_owner(one, other),
    )


def _inside(path: bytes, claim: _Claim, parent: bytes, parent_claim: _Claim) -> ConfigError:
    return ConfigError(
        f"{claim.where}: {show(path)} of {claim.who} lies in {show(parent)}, "
        f"which belongs to {parent_claim.who} ({parent_claim.where})",
        path=path,
        hint=_one_owner(claim, parent_claim),
    )


def _one_owner(one: _Claim, other: _Claim) -> str:
    if one.address is None or other.address is None:
        pointer = one.where if one.address is None else other.where
        return f"each path has one owner: `dvtool remove {pointer}`, or take the output out of the stage"
    return "each path has one owner: give one of the stages another output"

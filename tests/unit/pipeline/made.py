"""Stages for tests, written short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dvtool.formats.lock import Content
from dvtool.formats.lock import Json
from dvtool.formats.lock import LockedStage
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.model.pointer import Kind
from dvtool.pipeline.types import Definition
from dvtool.pipeline.types import Dep
from dvtool.pipeline.types import DepKind
from dvtool.pipeline.types import Mark
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import Out
from dvtool.pipeline.types import OutKind
from dvtool.pipeline.types import ParamsDep
from dvtool.pipeline.types import Stage

ROOT = b"dvtool.yaml"


def stage(
    name: str,
    deps: str = "",
    outs: str = "",
    *,
    file: bytes = ROOT,
    line: int = 1,
    globs: str = "",
    params: str = "",
    **more: Any,
) -> Stage:
    """*deps*, *outs*, *globs* and *params* (files) are separated by spaces; the stage stands in *line*."""
    at = Mark(file, line, 1)
    found = [Dep(DepKind.PATH, path.encode(), "", at) for path in deps.split()]
    found += [Dep(DepKind.GLOB, path.encode(), "", at) for path in globs.split()]
    more.setdefault("commands", (f"run {name}",))
    return Stage(
        file=file,
        name=name,
        at=at,
        deps=tuple(found),
        outs=tuple(Out(path.encode(), OutKind.OUT, at) for path in outs.split()),
        params=tuple(ParamsDep(path.encode(), (), at) for path in params.split()),
        **more,
    )


def definition(*stages: Stage, file: bytes = ROOT) -> Definition:
    return Definition(file, stages)


def content(number: int, *, executable: bool = False) -> Content:
    return Content(Kind.FILE, as_digest(ObjectId(bytes([number]) * 32)), number, 1, executable)


def locked(
    of: Stage, deps: Mapping[str, int] = {}, outs: Mapping[str, int] = {}, params: Mapping[str, Json] = {}
) -> LockedStage:
    return LockedStage(
        of.commands,
        of.argv,
        {name: content(number) for name, number in deps.items()},
        {b"params.yaml": params} if params else {},
        {path.encode(): content(number) for path, number in outs.items()},
    )


def seen(
    deps: Mapping[str, int | None] = {}, outs: Mapping[str, int | None] = {}, params: Mapping[str, Json] = {}
) -> Observation:
    return Observation(
        {name: None if number is None else content(number) for name, number in deps.items()},
        {b"params.yaml": params} if params else {},
        {path.encode(): None if number is None else content(number) for path, number in outs.items()},
    )

"""A saved plan, version 1: see ``docs/formats/plan.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import NoReturn

from dvtool.errors import FormatError
from dvtool.formats.lock import Json

VERSION = 1
MAX_BYTES = 256 << 20

_STAGE_KEYS = frozenset({"action", "definition", "record", "deps", "params", "outs"})


class SavedStage(NamedTuple):
    """What a plan says of a stage, and what it was made from.

    ``definition``, ``record``: digests of its definition and of what its lock said, empty for nothing. ``deps`` by name
    and ``outs`` by path: digests of what was there, None where nothing was; ``params`` by file and key: as JSON text.
    """

    action: str
    definition: str
    record: str
    deps: Mapping[str, str | None]
    params: Mapping[str, Mapping[str, str | None]]
    outs: Mapping[str, str | None]


class SavedPlan(NamedTuple):
    """``request``: how the plan was asked for. ``stages`` by address, in the order of a run."""

    request: Mapping[str, Json]
    stages: Mapping[str, SavedStage]


def encode_plan(plan: SavedPlan) -> bytes:
    """The text: one line for each stage."""
    head = f'{{"dvtool": "plan", "version": {VERSION}, "request": {_text(dict(plan.request))}, "stages": {{\n'
    lines = [f"{_text(address)}: {_text(stage._asdict())}" for address, stage in plan.stages.items()]
    return (head + ",\n".join(lines) + "\n}}\n").encode("ascii")


def decode_plan(data: bytes, where: str) -> SavedPlan:
    """Read a plan; *where* names it in errors. Raises `FormatError`."""
    if len(data) > MAX_BYTES:
        _refuse(where)
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        _refuse(where)
    if not isinstance(body, dict) or body.get("dvtool") != "plan":
        _refuse(where)
    version = body.get("version")
    if type(version) is int and version > VERSION:
        raise FormatError(f"{where}: version {version} is newer than this dvtool reads ({VERSION})", path=where)
    request, stages = body.get("request"), body.get("stages")
    if set(body) != {"dvtool", "version", "request", "stages"} or type(version) is not int or version != VERSION:
        _refuse(where)
    if not isinstance(request, dict) or not isinstance(stages, dict):
        _refuse(where)
    return SavedPlan(request, {address: _stage(stage, where) for address, stage in stages.items()})


def _stage(found: Any, where: str) -> SavedStage:
    if not isinstance(found, dict) or found.keys() != _STAGE_KEYS:
        _refuse(where)
    if not all(isinstance(found[key], str) for key in ("action", "definition", "record")):
        _refuse(where)
    params = found["params"]
    if not isinstance(params, dict) or not all(map(_is_texts, (found["deps"], found["outs"], *params.values()))):
        _refuse(where)
    return SavedStage(**found)


def _is_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(each is None or isinstance(each, str) for each in value.values())


def _text(value: Any) -> str:
    return json.dumps(value)


def _refuse(where: str) -> NoReturn:
    raise FormatError(f"{where}: not a dvtool plan", path=where, hint="`dvtool plan -o FILE` writes one")

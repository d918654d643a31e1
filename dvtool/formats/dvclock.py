"""``dvc.lock``, schema 1 and 2, and the entries of DVC's run cache. Read only: see ``docs/formats/dvc.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from dvtool.errors import FormatError
from dvtool.formats.dvcentry import DvcEntry
from dvtool.formats.dvcentry import Fields
from dvtool.formats.dvcentry import read_entry
from dvtool.formats.yamlmarked import Value
from dvtool.formats.yamlmarked import read_yaml
from dvtool.formats.yamlmarked import to_plain


class DvcLockedStage(NamedTuple):
    """Paths are as written: relative to the folder that the stage runs in. ``params``: by file, key and value."""

    commands: tuple[str, ...]
    deps: tuple[DvcEntry, ...] = ()
    params: Mapping[str, Mapping[str, Any]] = {}
    outs: tuple[DvcEntry, ...] = ()


def decode_dvclock(data: bytes, where: str) -> dict[str, DvcLockedStage]:
    """The stages by name. Raises `FormatError`, `UnsafeInput`."""
    document = read_yaml(data, where)
    if document is None:
        return {}
    fields = Fields(document, where, "dvc.lock")
    schema = fields.take("schema")
    if schema is None:
        # DVC 1.0: the stages themselves.
        stages = document
    elif str(schema.data) != "2.0":
        raise FormatError(f"{where}: dvtool reads schema 2.0, not {str(schema.data)[:40]!r}", path=where)
    else:
        if fields.take("datasets") is not None:
            raise FormatError(f"{where}: dvtool does not read DVC's datasets", path=where)
        found = fields.take("stages")
        fields.end()
        if found is None:
            return {}
        stages = found
    if type(stages.data) is not dict:
        raise FormatError(f"{where}: its stages are not written as `name: ...`", path=where)
    return {str(name): _stage(str(name), value, where) for name, value in stages.data.items()}


def decode_dvc_run(data: bytes, where: str) -> DvcLockedStage:
    """One entry of the run cache: a stage without a name. Raises `FormatError`, `UnsafeInput`."""
    document = read_yaml(data, where)
    if document is None:
        raise FormatError(f"{where}: empty", path=where)
    return _stage("a run", document, where)


def _stage(name: str, value: Value, where: str) -> DvcLockedStage:
    fields = Fields(value, where, f"stage {name!r}")
    cmd = to_plain(found) if (found := fields.take("cmd")) is not None else []
    commands = cmd if isinstance(cmd, list) else [cmd]
    if not all(isinstance(each, str) for each in commands):
        fields.refuse(f"cmd of stage {name!r} is no text")
    deps = tuple(_entry(each, where) for each in fields.items("deps"))
    outs = tuple(_entry(each, where) for each in fields.items("outs"))
    params = to_plain(found) if (found := fields.take("params")) is not None else {}
    if not isinstance(params, dict) or not all(isinstance(each, dict) for each in params.values()):
        fields.refuse(f"params of stage {name!r} are not written by file and key")
    fields.end()
    by_file = {str(file): {str(key): each for key, each in values.items()} for file, values in params.items()}
    return DvcLockedStage(tuple(commands), deps, by_file, outs)


def _entry(value: Value, where: str) -> DvcEntry:
    fields = Fields(value, where, "an entry of a stage")
    if fields.take("dataset") is not None:
        fields.refuse("dvtool does not read DVC's datasets")
    entry = read_entry(fields)
    # DVC 2 wrote what it also knew from dvc.yaml.
    for key in ("cache", "metric", "plot", "persist", "remote", "push", "desc", "type", "labels", "meta"):
        fields.take(key)
    fields.end()
    return entry

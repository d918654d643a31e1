"""From the text of a ``dvtool.yaml`` to a `Definition`."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

from dvtool.errors import ConfigError
from dvtool.errors import FormatError
from dvtool.formats.lock import Json
from dvtool.formats.yamlmarked import Value
from dvtool.formats.yamlmarked import no_collector
from dvtool.formats.yamlmarked import read_yaml
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.pipeline.definition.build import build_stage
from dvtool.pipeline.definition.build import json_of
from dvtool.pipeline.definition.build import text
from dvtool.pipeline.definition.keys import TOP
from dvtool.pipeline.definition.paths import resolve
from dvtool.pipeline.definition.shapes import Reading
from dvtool.pipeline.types import Definition
from dvtool.pipeline.types import Stage

Files = Callable[[bytes], bytes | None]


def parse(data: bytes, file: bytes, files: Files) -> Definition:  # noqa: ARG001
    """The definition at *file*; *files* gives the bytes of files that its templates name, None where there is none.

    Raises `ConfigError` naming file, line and column; `UnsafeInput` for a path that leads out of the project.
    """
    with no_collector():
        return _parse(data, file)


def _parse(data: bytes, file: bytes) -> Definition:
    root = _read(data, file)
    if root is None or root.data is None:
        return Definition(file, ())
    reading = Reading(file)
    TOP.check(root, Reading(file, raw=True))
    return Definition(
        file,
        tuple(_stages(root, reading)),
        _files(root, "params", reading),
        _files(root, "metrics", reading),
        tuple(_json_items(root, "plots")),
        {} if "artifacts" not in root.data else {n: json_of(v) for n, v in (root.data["artifacts"].data or {}).items()},
    )


def _read(data: bytes, file: bytes) -> Value | None:
    try:
        return read_yaml(data, show(file))
    except FormatError as error:
        raise ConfigError(error.message, path=file, hint=error.hint) from None


def _stages(root: Value, reading: Reading) -> Iterator[Stage]:
    stages = root.data.get("stages")
    if stages is None or stages.data is None:
        return
    for name, body in stages.data.items():
        _check_name(name, body, reading)
        yield build_stage(name, body, reading)


def _check_name(name: str, body: Value, reading: Reading) -> None:
    if not name or not name.isprintable() or len(name) > 200:
        reading.refuse(body, f"{name[:40]!r} is no name for a stage", "letters, digits, - and _", key=True)
    if "@" in name or ":" in name:
        reading.refuse(
            body,
            f"the name {name[:40]!r} holds @ or :",
            "`@` stands in the names that `foreach` and `matrix` make, `:` behind a file",
            key=True,
        )


def _files(root: Value, key: str, reading: Reading) -> tuple[bytes, ...]:
    value = root.data.get(key)
    if value is None or value.data is None:
        return ()
    base = split(reading.file)[0]
    return tuple(dict.fromkeys(resolve(text(each), base, each, reading) for each in value.data))


def _json_items(root: Value, key: str) -> list[Json]:
    value = root.data.get(key)
    return [] if value is None or value.data is None else [json_of(each) for each in value.data]

"""From the text of a ``dvtool.yaml`` to a `Definition`."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

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
from dvtool.pipeline.definition.context import Budget
from dvtool.pipeline.definition.context import Context
from dvtool.pipeline.definition.context import Files
from dvtool.pipeline.definition.context import Sources
from dvtool.pipeline.definition.expand import MAX_STAGES
from dvtool.pipeline.definition.expand import foreach
from dvtool.pipeline.definition.expand import matrix
from dvtool.pipeline.definition.keys import STAGE
from dvtool.pipeline.definition.keys import TOP
from dvtool.pipeline.definition.paths import resolve
from dvtool.pipeline.definition.shapes import Reading
from dvtool.pipeline.definition.templates import Resolver
from dvtool.pipeline.types import Definition
from dvtool.pipeline.types import Stage

_MAX_NAME = 200


def parse(data: bytes, file: bytes, files: Files, *, overrides: Mapping[str, Json] = {}) -> Definition:
    """The definition at *file*; *files* gives the bytes of files that its templates name, None where there is none.

    *overrides*: other values under these dotted names, for ``${}``. Raises `ConfigError` naming file, line and column;
    `UnsafeInput` for a path that leads out of the project.
    """
    with no_collector():
        root = _read(data, file)
        if root is None or root.data is None:
            return Definition(file, ())
        TOP.check(root, Reading(file, raw=True))
        has_templates = b"${" in data or b"matrix" in data or b"foreach" in data or b"vars" in data
        return _Parser(root, Reading(file), files, overrides, has_templates=has_templates).definition()


def _read(data: bytes, file: bytes) -> Value | None:
    try:
        return read_yaml(data, show(file))
    except FormatError as error:
        raise ConfigError(error.message, path=file, hint=error.hint) from None


class _Parser:
    def __init__(
        self, root: Value, reading: Reading, files: Files, overrides: Mapping[str, Json], *, has_templates: bool
    ) -> None:
        self._root = root
        self._reading = reading
        self._files = files
        self._overrides = overrides
        self._has_templates = has_templates
        self._base = split(reading.file)[0]
        self._budget = Budget(reading)
        self._room = MAX_STAGES

    def definition(self) -> Definition:
        artifacts = self._top("artifacts")
        return Definition(
            self._reading.file,
            tuple(self._stages()),
            self._paths("params"),
            self._paths("metrics"),
            tuple(json_of(each) for each in self._items("plots")),
            {} if artifacts is None else {str(name): json_of(each) for name, each in artifacts.data.items()},
        )

    @cached_property
    def _context(self) -> Context:
        trusted = frozenset(resolve(text(each), self._base, each, self._reading) for each in self._raw("trusted"))
        sources = Sources(self._reading, self._files, trusted, self._budget)
        context = Context(sources).with_default(self._base, self._root).with_vars(self._raw("vars"), self._base)
        return context.with_overrides(self._overrides) if self._overrides else context

    def _raw(self, key: str) -> list[Value]:
        value = self._root.data.get(key)
        found: list[Value] = [] if value is None or value.data is None else value.data
        return found

    def _top(self, key: str) -> Value | None:
        """What stands under a key of the top level, worked out."""
        value: Value | None = self._root.data.get(key)
        if value is None or value.data is None:
            return None
        if not self._has_templates:
            return value
        found = Resolver(self._context, self._reading, self._budget).value(value, None)
        if found is not value:
            TOP.keys[key].shape.check(found, self._reading)
        return found

    def _items(self, key: str) -> list[Value]:
        value = self._top(key)
        found: list[Value] = [] if value is None else value.data
        return found

    def _paths(self, key: str) -> tuple[bytes, ...]:
        found = (resolve(text(each), self._base, each, self._reading) for each in self._items(key))
        return tuple(dict.fromkeys(found))

    def _stages(self) -> Iterator[Stage]:
        stages = self._root.data.get("stages")
        if stages is None or stages.data is None:
            return
        for name, body in stages.data.items():
            _check_name(name, body, self._reading)
            if "foreach" in body.data or "matrix" in body.data:
                yield from self._group(name, body)
            elif self._has_templates:
                yield self._templated(body, self._context, self._reading, name)
            else:
                yield build_stage(name, body, self._reading)

    def _group(self, group: str, body: Value) -> Iterator[Stage]:
        resolver = Resolver(self._context, self._reading, self._budget)
        if "foreach" in body.data:
            template = body.data["do"]
            members = foreach(body.data["foreach"], resolver, self._reading, self._room)
        else:
            own = {key: each for key, each in body.data.items() if key != "matrix"}
            template = Value(own, body.mark, body.key_mark)
            members = matrix(body.data["matrix"], resolver, self._reading, self._room)
        self._room -= len(members)
        for key, items in members.items():
            name = f"{group}@{key}"
            if not key or not key.isprintable() or len(name) > _MAX_NAME:
                self._reading.refuse(body, f"{key[:40]!r} is no part of a stage's name", key=True)
            reading = replace(self._reading, stage=name)
            yield self._templated(template, self._context.with_items(items), reading, name, group, at=body)

    def _templated(
        self, body: Value, context: Context, reading: Reading, name: str, group: str = "", *, at: Value | None = None
    ) -> Stage:
        own_vars = body.data.get("vars")
        if own_vars is not None and own_vars.data:
            context = context.with_vars(own_vars.data, self._directory(body, context, reading))
        resolver = Resolver(context, reading, self._budget)
        inner = {key: each if key == "vars" else resolver.value(each, key) for key, each in body.data.items()}
        if any(new is not body.data[key] for key, new in inner.items()):
            STAGE.check(Value(inner, body.mark, body.key_mark), reading)
        found = Value(inner, body.mark, (at or body).key_mark)
        return build_stage(name, found, reading, group=group, uses=resolver.uses)

    def _directory(self, body: Value, context: Context, reading: Reading) -> bytes:
        """The one that files under the stage's ``vars`` are seen from: its ``wdir``, which they cannot change."""
        wdir = body.data.get("wdir")
        if wdir is None:
            return self._base
        found = Resolver(context, reading, self._budget).value(wdir, "wdir")
        STAGE.keys["wdir"].shape.check(found, reading)
        return resolve(text(found), self._base, wdir, reading, may_be_root=True)


def _check_name(name: str, body: Value, reading: Reading) -> None:
    if not name or not name.isprintable() or len(name) > _MAX_NAME:
        reading.refuse(body, f"{name[:40]!r} is no name for a stage", "letters, digits, - and _", key=True)
    if "@" in name or ":" in name:
        reading.refuse(
            body,
            f"the name {name[:40]!r} holds @ or :",
            "`@` stands in the names that `foreach` and `matrix` make, `:` behind a file",
            key=True,
        )

"""The values that ``${}`` can name, and where each comes from."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any
from typing import NoReturn

from dvtool.errors import FormatError
from dvtool.formats.lock import Json
from dvtool.formats.yamlmarked import Value
from dvtool.model.paths import show
from dvtool.pipeline.definition.build import PARAMS_FILE
from dvtool.pipeline.definition.build import json_of
from dvtool.pipeline.definition.build import text
from dvtool.pipeline.definition.expressions import has_template
from dvtool.pipeline.definition.paths import resolve
from dvtool.pipeline.definition.shapes import Reading
from dvtool.pipeline.definition.shapes import nearest
from dvtool.pipeline.params import read_values

Files = Callable[[bytes], bytes | None]

MAX_TEXT = 64 << 20
MAX_VALUES = 200_000
MAX_MERGED = 3_000_000


class Node:
    """A value with its origin. ``data``: a scalar, a list of plain values, or a dict of nodes.

    ``source``: the file that it stands in, under the dotted ``path``; None for what stands in the definition itself.
    ``outside``: it was not written by who wrote the definition.
    """

    __slots__ = ("data", "outside", "path", "source")

    data: Any

    def __init__(self, data: Any, source: bytes | None = None, path: str = "", *, outside: bool = False) -> None:
        self.source = source
        self.path = path
        self.outside = outside
        self.data = {key: self._inner(key, each) for key, each in data.items()} if type(data) is dict else data

    def items(self) -> list[Node]:
        """The nodes of a list."""
        return [self._inner(str(at), each) for at, each in enumerate(self.data)]

    def below(self, name: str) -> Node | None:
        """What stands under *name*: a key, or the number of an item of a list, from the end where it is negative."""
        if type(self.data) is dict:
            return self.data.get(name)
        if type(self.data) is not list:
            return None
        try:
            at = int(name)
            return self._inner(str(at if at >= 0 else at + len(self.data)), self.data[at])
        except (ValueError, IndexError):
            return None

    def plain(self) -> Json:
        data: Any = self.data
        if type(data) is dict:
            return {key: each.plain() for key, each in data.items()}
        if type(data) is list:
            return [each.plain() if type(each) is Node else each for each in data]
        found: Json = data
        return found

    def _inner(self, name: str, data: Any) -> Node:
        if type(data) is Node:
            return data
        path = f"{self.path}.{name}" if self.path else name
        return Node(data, self.source, path, outside=self.outside)


class Budget:
    """What all templates of one definition may come to together."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._text = 0
        self._values = 0
        self._merged = 0

    def spend(self, at: Value, characters: int) -> None:
        """Raise `ConfigError` where one more value of that length is too much."""
        self._text += characters
        self._values += 1
        if self._text > MAX_TEXT or self._values > MAX_VALUES:
            self._reading.refuse(at, "the templates of this file come to more than can be meant")

    def merge(self, at: Value, into: int, added: int) -> None:
        """The same where so many names are added to others; copying those costs less."""
        self._merged += added + into // 20
        if self._merged > MAX_MERGED:
            self._reading.refuse(at, "the `vars` of this file come to more than can be meant")


class Sources:
    """The files that one definition takes values from, each read once."""

    def __init__(self, reading: Reading, files: Files, trusted: frozenset[bytes], budget: Budget) -> None:
        self.reading = reading
        self.budget = budget
        self._files = files
        self._trusted = trusted
        self._read: dict[bytes, Node | None] = {}

    def file(self, path: bytes, at: Value) -> Node | None:
        """What *path* holds; None where there is no such file. *at*: who names it."""
        if path not in self._read:
            data = self._files(path)
            self._read[path] = None if data is None else self._node(path, data, at)
        return self._read[path]

    def _node(self, path: bytes, data: bytes, at: Value) -> Node:
        try:
            values = read_values(data, path)
        except FormatError as error:
            self.reading.refuse(at, error.message, error.hint)
        if not isinstance(values, dict):
            self.reading.refuse(at, f"{show(path)} holds no `key: value` pairs")
        return Node(values, path, outside=path not in self._trusted)


class Context:
    """Values by name. A context is never changed: `with_vars` and `with_items` give another one."""

    def __init__(
        self,
        sources: Sources,
        values: Mapping[str, Node] = {},
        loaded: Mapping[bytes, frozenset[str] | None] = {},
        items: Mapping[str, Node] = {},
    ) -> None:
        self._sources = sources
        self._values = values
        self._loaded = loaded
        self._items = items

    def with_items(self, items: Mapping[str, Node]) -> Context:
        """With ``item`` and ``key``, before all others of that name."""
        return Context(self._sources, self._values, self._loaded, items)

    def with_default(self, base: bytes, root: Value) -> Context:
        """With the values of ``params.yaml`` in the directory *base*, where there is one."""
        path = base + b"/params.yaml" if base else PARAMS_FILE.encode()
        node = self._sources.file(path, root)
        return self if node is None else Context(self._sources, node.data, {path: None})

    def with_vars(self, entries: Iterable[Value], base: bytes) -> Context:
        """With what stands under ``vars``; files are seen from the directory *base*."""
        found = self
        for entry in entries:
            found = found._with_mapping(entry) if type(entry.data) is dict else found._with_file(entry, base)
        return found

    def with_overrides(self, overrides: Mapping[str, Json]) -> Context:
        """With other values under these dotted keys; whatever stood there."""
        values = dict(self._values)
        for key, value in overrides.items():
            _put(values, key.split("."), Node(value, outside=True))
        return Context(self._sources, values, self._loaded, self._items)

    def find(self, names: list[str], at: Value, reading: Reading) -> Node:
        """What the dotted name stands for. Raises `ConfigError` naming the nearest one there is."""
        first = names[0]
        node = self._items.get(first) or self._values.get(first)
        for depth, name in enumerate(names):
            above = node
            if depth:
                assert above is not None
                node = above.below(name)
            if node is None:
                known = {*self._items, *self._values} if not depth else above.data if above is not None else ()
                _not_there(names, depth, known, reading, at)
        assert node is not None
        return node

    def _with_mapping(self, entry: Value) -> Context:
        _check_no_templates(entry, self._sources.reading)
        added = Node(json_of(entry)).data
        return Context(self._sources, self._merged(added, entry, "vars"), self._loaded, self._items)

    def _with_file(self, entry: Value, base: bytes) -> Context:
        _check_no_templates(entry, self._sources.reading)
        reading = self._sources.reading
        name, _, rest = text(entry).partition(":")
        keys = [key for key in rest.split(",") if key]
        path = resolve(name, base, entry, reading)
        before = self._loaded.get(path, frozenset())
        if before is None and not keys:
            return self
        if before is None or (before and (not keys or before & set(keys))):
            reading.refuse(entry, f"{name} is loaded already", "take one of the two entries out")
        node = self._sources.file(path, entry)
        if node is None:
            reading.refuse(entry, f"there is no file {show(path)}")
        added = node.data
        for key in keys:
            if key not in added:
                reading.refuse(entry, f"{name} has no key {key!r}", nearest(key, added))
        if keys:
            added = {key: added[key] for key in keys}
        loaded = {**self._loaded, path: before | set(keys) if keys else None}
        return Context(self._sources, self._merged(added, entry, name), loaded, self._items)

    def _merged(self, added: Mapping[str, Node], entry: Value, whose: str) -> dict[str, Node]:
        self._sources.budget.merge(entry, len(self._values), len(added))
        for name in self._items:
            if name in added:
                self._sources.reading.refuse(entry, f"{whose} sets {name!r}, which `foreach` and `matrix` set")
        return _merge(self._values, added, lambda key: self._twice(key, entry, whose))

    def _twice(self, node: Node | str, entry: Value, whose: str) -> None:
        self._sources.reading.refuse(entry, f"{whose} sets `{node}`, which is set already", "each value is set once")


def _not_there(names: list[str], depth: int, known: Any, reading: Reading, at: Value) -> NoReturn:
    hint: str | None
    if type(known) is list:
        hint = f"the list has {len(known)} items, numbered from 0"
    elif depth and type(known) is not dict:
        hint = f"{'.'.join(names[:depth])[:80]} is one value and holds no others"
    else:
        hint = nearest(names[depth], [str(each) for each in known])
        if hint is None and not known:
            hint = "values come from params.yaml beside the definition, and from `vars`"
    reading.refuse(at, f"there is no value `{'.'.join(names)[:80]}`", hint)


def _merge(into: Mapping[str, Node], added: Mapping[str, Node], twice: Callable[[str], None]) -> dict[str, Node]:
    found = dict(into)
    for name, node in added.items():
        before = found.get(name)
        if before is None:
            found[name] = node
        elif type(before.data) is dict and type(node.data) is dict:
            both = _merge(before.data, node.data, lambda key, above=name: twice(f"{above}.{key}"))  # type: ignore[misc]
            found[name] = Node(both, before.source, before.path, outside=before.outside or node.outside)
        else:
            twice(name)
    return found


def _put(values: dict[str, Node], names: list[str], node: Node) -> None:
    first, *rest = names
    before = values.get(first)
    if rest:
        inner = dict(before.data) if before is not None and type(before.data) is dict else {}
        _put(inner, rest, node)
        node = Node(inner, outside=True)
    values[first] = node


def _check_no_templates(value: Value, reading: Reading) -> None:
    data = value.data
    if type(data) is str:
        if has_template(data):
            reading.refuse(value, "`${}` does not work in `vars`", "write the value itself")
    elif type(data) is list:
        for each in data:
            _check_no_templates(each, reading)
    elif type(data) is dict:
        for key, each in data.items():
            if type(key) is str and has_template(key):
                reading.refuse(each, "`${}` does not work in `vars`", "write the value itself", key=True)
            _check_no_templates(each, reading)

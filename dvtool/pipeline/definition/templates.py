"""Working out ``${}`` in the values of a definition."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple
from typing import NoReturn

from dvtool.formats.lock import Json
from dvtool.formats.yamlmarked import Value
from dvtool.pipeline.definition.context import Budget
from dvtool.pipeline.definition.context import Context
from dvtool.pipeline.definition.context import Node
from dvtool.pipeline.definition.expressions import names_in
from dvtool.pipeline.definition.expressions import templates_in
from dvtool.pipeline.definition.shapes import Reading
from dvtool.pipeline.definition.shapes import describe
from dvtool.pipeline.definition.shell import ADVICE
from dvtool.pipeline.definition.shell import Command
from dvtool.pipeline.definition.shell import is_harmless
from dvtool.pipeline.types import ParamsDep


class Resolver:
    """Works out values in one context."""

    def __init__(self, context: Context, reading: Reading, budget: Budget) -> None:
        self._context = context
        self._reading = reading
        self._budget = budget
        self.used: dict[bytes, dict[str, Value]] = {}

    @property
    def uses(self) -> tuple[ParamsDep, ...]:
        """The keys of files that went into what was worked out, each file with the first place that names it."""
        return tuple(
            ParamsDep(file, tuple(keys), self._reading.mark(next(iter(keys.values()))))
            for file, keys in self.used.items()
        )

    def value(self, value: Value, key: str | None) -> Value:
        """*value* without templates; the same one where it has none. *key*: the key of the stage that it stands under;
        None at the top level."""
        data = value.data
        kind = type(data)
        if kind is str and "${" in data:
            return self._text(value, data, key)
        self._budget.spend(value, 0)
        if kind is list:
            items = [self.value(each, key) for each in data]
            if all(new is old for new, old in zip(items, data, strict=True)):
                return value
            return Value(items, value.mark, value.key_mark)
        if kind is dict:
            return self._mapping(value, key)
        return value

    def _mapping(self, value: Value, key: str | None) -> Value:
        found: dict[Any, Value] = {}
        changed = False
        for old, each in value.data.items():
            inner = self.value(each, "cmd" if key == "deps" and old == "cmd" else key)
            name = old
            if type(old) is str and "${" in old:
                name, _ = self._joined(old, each, key)
                changed = True
            if name in found:
                self._reading.refuse(each, f"the key {name!r} stands there twice", key=True)
            found[name] = inner
            changed = changed or inner is not each
        return Value(found, value.mark, value.key_mark) if changed else value

    def as_node(self, value: Value) -> Node:
        """*value* worked out, with the origin of all in it."""
        data = value.data
        if type(data) is str:
            if (exact := self._exact(value)) is not None:
                return exact
            text, outside = self._joined(data, value, None)
            return Node(text, outside=outside)
        if type(data) is list:
            return Node([self.as_node(each) for each in data])
        if type(data) is not dict:
            return Node(data)
        found: dict[str, Node] = {}
        is_outside = False
        for name, each in data.items():
            key, outside = self._joined(name, each, None) if type(name) is str else (to_text(name), False)
            found[key] = self.as_node(each)
            is_outside = is_outside or outside
        return Node(found, outside=is_outside)

    def _exact(self, value: Value) -> Node | None:
        """What *value* stands for, if it is one ``${}`` and nothing else."""
        found = next(templates_in(value.data), None)
        if found is None or found.start or found.end < len(value.data):
            return None
        return self._find(found.inner, value)

    def _text(self, value: Value, text: str, key: str | None) -> Value:
        if key == "cmd":
            found = self._command(text, value)
        elif (node := self._exact(value)) is not None:
            if type(node.data) in (dict, list) and key is not None:
                self._no_composite(node, text, value, key)
            self._budget.spend(value, len(node.data) if type(node.data) is str else 0)
            return _place(node.plain(), value)
        else:
            found, _ = self._joined(text, value, key)
        self._budget.spend(value, len(found))
        return Value(found, value.mark, value.key_mark)

    def _joined(self, text: str, at: Value, key: str | None) -> tuple[str, bool]:
        parts: list[str] = []
        outside = False
        for literal, inner in _split(text):
            parts.append(literal)
            if inner is not None:
                node = self._find(inner, at)
                if type(node.data) in (dict, list):
                    self._no_composite(node, inner, at, key)
                parts.append(to_text(node.data))
                outside = outside or node.outside
        return "".join(parts), outside

    def _command(self, text: str, at: Value) -> str:
        pieces: list[_Piece] = []
        for literal, inner in _split(text):
            pieces.append(_Piece(literal))
            if inner is not None:
                node = self._find(inner, at)
                if type(node.data) is list:
                    self._no_composite(node, inner, at, "cmd")
                if type(node.data) is dict:
                    pieces += self._options(node, inner, at)
                else:
                    pieces.append(_Piece(to_text(node.data), inner if node.outside else ""))
        if any(_needs_look(before, piece) for before, piece in zip([_Piece(""), *pieces], pieces, strict=False)):
            self._check(pieces, at)
        return "".join(piece.text for piece in pieces)

    def _check(self, pieces: list[_Piece], at: Value) -> None:
        command = Command("".join("_" if piece.outside else piece.text for piece in pieces))
        for piece in pieces:
            why = command.value(piece.text, is_quoted=piece.is_quoted) if piece.outside else command.literal(piece.text)
            if why is not None:
                self._reading.refuse(at, f"`{piece.outside[:80]}` cannot stand here in a command: {why}", ADVICE)

    def _options(self, node: Node, inner: str, at: Value) -> list[_Piece]:
        """A mapping as options: ``--name value``."""
        found: list[_Piece] = []
        for name, each in _leaves(node, ""):
            data = each.data
            self._budget.spend(at, 0)
            if data is False or (type(data) is list and not data):
                continue
            found.append(_Piece(f" --{name}" if found else f"--{name}", f"{inner}.{name}" if each.outside else ""))
            if data is True:
                continue
            for item in each.items() if type(data) is list else [each]:
                if type(item.data) in (list, dict):
                    self._reading.refuse(at, f"`{inner[:80]}` cannot be options: {name} holds a list of lists")
                self._budget.spend(at, 0)
                is_text = type(item.data) is str
                word = shlex.quote(item.data) if is_text else str(item.data)
                found += [_Piece(" "), _Piece(word, f"{inner}.{name}" if item.outside else "", is_text)]
        return found

    def _find(self, inner: str, at: Value) -> Node:
        names = names_in(inner)
        if names is None:
            self._reading.refuse(at, f"`{inner[:80]}` is no name", "write ${a.b} or ${list[0]}; \\${ stands for itself")
        node = self._context.find(names, at, self._reading)
        if node.source is not None and type(node.data) is not dict:
            self.used.setdefault(node.source, {}).setdefault(node.path, at)
        return node

    def _no_composite(self, node: Node, inner: str, at: Value, key: str | None) -> NoReturn:
        what = "options are made of it in `cmd` alone" if type(node.data) is dict and key != "cmd" else None
        self._reading.refuse(at, f"`{inner[:80]}` is {describe(node.plain())}, not one value", what)


class _Piece(NamedTuple):
    """Part of a command. ``outside``: the name of the value that it is, where its author did not write the definition;
    ``is_quoted``: for the shell."""

    text: str
    outside: str = ""
    is_quoted: bool = False


def _needs_look(before: _Piece, piece: _Piece) -> bool:
    return bool(piece.outside) and (before.text.endswith("$") or not is_harmless(piece.text))


def to_text(data: Any) -> str:
    """A scalar as it is put into text."""
    return ("true" if data else "false") if type(data) is bool else str(data)


def _split(text: str) -> Iterator[tuple[str, str | None]]:
    """Text, each piece with the expression behind it."""
    at = 0
    for found in templates_in(text):
        yield text[at : found.start].replace("\\${", "${"), found.inner
        at = found.end
    yield text[at:].replace("\\${", "${"), None


def _leaves(node: Node, prefix: str) -> Iterator[tuple[str, Node]]:
    for name, each in node.data.items():
        if type(each.data) is dict:
            yield from _leaves(each, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", each


def _place(data: Json, at: Value) -> Value:
    """Plain values, all of them where the template stands."""
    if isinstance(data, dict):
        return Value({key: _place(each, at) for key, each in data.items()}, at.mark, at.key_mark)
    if isinstance(data, list):
        return Value([_place(each, at) for each in data], at.mark, at.key_mark)
    return Value(data, at.mark, at.key_mark)

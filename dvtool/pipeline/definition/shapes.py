"""What may stand where in a definition: one table that is checked against, and that the JSON schema is made of."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from difflib import get_close_matches
from typing import Any
from typing import NoReturn

from dvtool.errors import ConfigError
from dvtool.formats.yamlmarked import Value
from dvtool.model.paths import show
from dvtool.pipeline.types import Mark

JsonSchema = dict[str, Any]

TEMPLATE = "${"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a definition is read: the ``file`` that errors name, whether ``${}`` may still stand in it, and which
    ``stage`` of those that ``foreach`` or ``matrix`` makes is worked out."""

    file: bytes
    raw: bool = False
    stage: str = ""

    def mark(self, value: Value, *, key: bool = False) -> Mark:
        at = value.key_mark if key and value.key_mark is not None else value.mark
        return Mark(self.file, at.line + 1, at.column + 1)

    def refuse(self, value: Value, why: str, hint: str | None = None, *, key: bool = False) -> NoReturn:
        """Raise `ConfigError` with the place of *value*, or of its key."""
        at = self.mark(value, key=key)
        whose = f" (in {self.stage})" if self.stage else ""
        raise ConfigError(f"{show(at.file)}:{at.line}:{at.column}: {why}{whose}", path=at.file, hint=hint)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The hint that names what was probably meant."""
    names = list(known)
    if len(word) > 80 or len(names) > 2000:
        return None
    close = get_close_matches(word, names, 1, 0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return None if not names or len(names) > 20 else f"known here: {', '.join(names)}"


class Shape:
    def check(self, value: Value, reading: Reading) -> None:
        """Raise `ConfigError` where *value* is not of this shape."""

    def expected(self) -> str:
        """In words."""
        return "a value"

    def schema(self) -> JsonSchema:
        return {}


@dataclass(frozen=True)
class Plain(Shape):
    """One scalar. ``types`` are Python's; a template may stand for it while ``reading.raw``."""

    words: str
    types: tuple[type, ...]
    json_type: str | list[str]
    problem: Callable[[Any], str | None] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def expected(self) -> str:
        return self.words

    def check(self, value: Value, reading: Reading) -> None:
        data = value.data
        if reading.raw and type(data) is str and TEMPLATE in data:
            return
        if type(data) not in self.types:
            wrong_type(value, reading, self.expected())
        if self.problem is not None and (why := self.problem(data)) is not None:
            reading.refuse(value, why)

    def schema(self) -> JsonSchema:
        own: JsonSchema = {"type": self.json_type, **self.more}
        if str in self.types and not self.more:
            return own
        return {"anyOf": [own, {"type": "string", "pattern": r"\$\{"}]}


class Text(Plain):
    """Text. A number that a template came to is taken as its text."""

    def check(self, value: Value, reading: Reading) -> None:
        data = value.data
        if type(data) is not str and (value.text is not None or data is None or type(data) in (list, dict)):
            quoted = f"put it in quotes: '{value.text}'" if value.text else None
            wrong_type(value, reading, self.expected(), quoted)
        if self.problem is not None and type(data) is str and not (reading.raw and TEMPLATE in data):
            why = self.problem(data)
            if why is not None:
                reading.refuse(value, why)


@dataclass(frozen=True)
class ListOf(Shape):
    item: Shape
    words: str = "a list"
    least: int = 0

    def expected(self) -> str:
        return self.words

    def check(self, value: Value, reading: Reading) -> None:
        if value.data is None and not self.least:
            return
        if type(value.data) is not list:
            wrong_type(value, reading, self.expected())
        if len(value.data) < self.least:
            reading.refuse(value, "an empty list")
        for each in value.data:
            self.item.check(each, reading)

    def schema(self) -> JsonSchema:
        own: JsonSchema = {"type": "array", "items": self.item.schema()}
        if self.least:
            return {**own, "minItems": self.least}
        return {**own, "type": ["array", "null"]}


@dataclass(frozen=True)
class MapOf(Shape):
    """Names of one's own, each with the same shape behind it."""

    item: Shape
    words: str = "a mapping"
    is_optional: bool = True
    any_key: bool = False
    key_problem: Callable[[str], str | None] | None = None

    def expected(self) -> str:
        return self.words

    def check(self, value: Value, reading: Reading) -> None:
        if value.data is None and self.is_optional:
            return
        if type(value.data) is not dict:
            wrong_type(value, reading, self.expected())
        for key, each in value.data.items():
            if type(key) is not str and not self.any_key:
                reading.refuse(each, f"the key {key!r} must be text", "put it in quotes", key=True)
            if self.key_problem is not None and (why := self.key_problem(key)) is not None:
                reading.refuse(each, why, key=True)
            self.item.check(each, reading)

    def schema(self) -> JsonSchema:
        kind = ["object", "null"] if self.is_optional else "object"
        return {"type": kind, "additionalProperties": self.item.schema()}


@dataclass(frozen=True)
class Either(Shape):
    """The first of several shapes that fits the kind of value: of scalars, lists and mappings at most one each."""

    scalar: Shape | None = None
    sequence: Shape | None = None
    mapping: Shape | None = None
    null: bool = False

    def check(self, value: Value, reading: Reading) -> None:
        kind = type(value.data)
        shape = self.sequence if kind is list else self.mapping if kind is dict else self.scalar
        if kind is type(None) and self.null:
            return
        if shape is None:
            if reading.raw and kind is str and TEMPLATE in value.data:
                return
            wrong_type(value, reading, self.expected())
        shape.check(value, reading)

    def expected(self) -> str:
        return " or ".join(each.expected() for each in self._shapes())

    def _shapes(self) -> list[Shape]:
        return [each for each in (self.scalar, self.sequence, self.mapping) if each is not None]

    def schema(self) -> JsonSchema:
        choices = [each.schema() for each in self._shapes()]
        return {"anyOf": [*choices, {"type": "null"}] if self.null else choices}


@dataclass(frozen=True)
class Key:
    """One key of a `Table`: what stands behind it, and a sentence on what it means."""

    shape: Shape
    about: str
    required: bool = False


@dataclass(frozen=True)
class Table(Shape):
    """A mapping with known keys. ``whose``: "a stage", "an output", for messages. ``name``: in the schema, where it
    stands in several places."""

    whose: str
    keys: Mapping[str, Key]
    name: str = ""
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def expected(self) -> str:
        return "a mapping"

    def check(self, value: Value, reading: Reading) -> None:
        data = value.data
        if type(data) is not dict:
            wrong_type(value, reading, self.expected())
        for name, each in data.items():
            key = self.keys.get(name)
            if key is None:
                hint = self.elsewhere.get(name) or nearest(str(name), self.keys)
                reading.refuse(each, f"{name!r} is no key of {self.whose}", hint, key=True)
            key.shape.check(each, reading)
        for name, key in self.keys.items():
            if key.required and name not in data:
                reading.refuse(value, f"`{name}` is missing in {self.whose}", key=True)

    def schema(self) -> JsonSchema:
        return {"$ref": f"#/definitions/{self.name}"} if self.name else self.definition()

    def definition(self) -> JsonSchema:
        """The schema itself, where `schema` only names it."""
        found: JsonSchema = {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: {**key.shape.schema(), "description": key.about} for name, key in self.keys.items()},
        }
        required = [name for name, key in self.keys.items() if key.required]
        return {**found, "required": required} if required else found


def wrong_type(value: Value, reading: Reading, words: str, hint: str | None = None) -> NoReturn:
    reading.refuse(value, f"expected {words}, found {describe(value.data)}", hint)


def describe(data: Any) -> str:
    """What a value is, for a message."""
    if data is None:
        return "nothing"
    if isinstance(data, bool):
        return f"`{str(data).lower()}`"
    if isinstance(data, (int, float)):
        return f"the number {data}"
    if isinstance(data, str):
        return f"the text {data[:40]!r}"
    return "a list" if isinstance(data, list) else "a mapping"

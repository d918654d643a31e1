"""YAML that people write, with the place of every value; version 1.2's idea of what is a number or a truth value.

Nothing that a text can hold makes reading it slow, deep or large: nesting, nodes after aliases and size are bounded.
Tags other than the core ones, repeated keys and several documents are refused.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from typing import NoReturn

from dvtool.errors import FormatError

MAX_BYTES = 64 << 20
MAX_DEPTH = 64
MAX_NODES = 400_000
_MAX_DIGITS = 400

Scalar = None | bool | int | float | str

_TYPED = frozenset("+-.0123456789tTfFnN~")
"""What a plain scalar begins with that may be something else than text."""
_WORDS: dict[str, Scalar] = {"": None, "~": None}
for _word, _value in (("null", None), ("true", True), ("false", False)):
    _WORDS |= {_word: _value, _word.capitalize(): _value, _word.upper(): _value}
_INT = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|[0-9_]+|0x[0-9a-fA-F_]+)", re.ASCII)
_FLOAT = re.compile(
    r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    re.ASCII,
)
_CORE = "tag:yaml.org,2002:"
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7})(?: .*)?$", re.MULTILINE)


class Value:
    """One value and where it stands. ``data``: a scalar, a list of values, or a dict of values.

    ``mark``, ``key_mark``: of the value and of its key, with ``line`` and ``column`` from 0. ``text``: a plain scalar
    that is no text, as it was written.
    """

    __slots__ = ("data", "key_mark", "mark", "text")

    def __init__(self, data: Any, mark: Any, key_mark: Any = None, text: str | None = None) -> None:
        self.data = data
        self.mark = mark
        self.key_mark = key_mark
        self.text = text


def read_yaml(data: bytes, where: str) -> Value | None:
    """The one document of *data*; None where it holds nothing. *where* names it in errors. Raises `FormatError`."""
    import yaml

    text = decode_text(data, where)
    try:
        with no_collector():
            # The other reader in Python alone, should the library in C be missing.
            parser = yaml.CSafeLoader(text) if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader(text)
            return _Builder(parser, where).document()
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        if (conflict := _CONFLICT.search(text)) is not None:
            line = text.count("\n", 0, conflict.start()) + 1
            raise FormatError(
                f"{where}:{line}:1: a Git merge left conflict markers in it",
                path=where,
                hint="keep what you want of both sides and take the markers out",
            ) from None
        # What a command with `key: value` in it meets, and the parser's words do not tell.
        is_unquoted = "mapping values" in str(problem)
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark is not None else where
        raise FormatError(
            f"{place}: not valid YAML: {' '.join(str(problem).split())[:200]}",
            path=where,
            hint="text with `: ` in it takes quotes, or a block: `cmd: |`" if is_unquoted else None,
        ) from None


def decode_text(data: bytes, where: str) -> str:
    """UTF-8 text of bounded size, without its byte order mark. Raises `FormatError`."""
    if len(data) > MAX_BYTES:
        raise FormatError(f"{where}: larger than {MAX_BYTES >> 20} MiB", path=where)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FormatError(f"{where}:{line}: not UTF-8 text", path=where) from None


def to_plain(value: Value) -> Any:
    """Without places: scalars, lists and dicts."""
    data = value.data
    if type(data) is dict:
        return {key: to_plain(each) for key, each in data.items()}
    if type(data) is list:
        return [to_plain(each) for each in data]
    return data


@contextmanager
def no_collector() -> Iterator[None]:
    """For code that makes many values and drops none: the search for circles would take 1.1 s of 1.3."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


_NO_KEY: Any = object()
_MERGE: Any = object()
_OF_LIST: Any = object()


class _Frame:
    """A list or mapping that is being read. ``before``: how many nodes there were; ``height``: of its highest value."""

    __slots__ = ("anchor", "before", "container", "depth", "height", "key", "key_mark", "merge", "outer", "value")

    def __init__(self, value: Value, anchor: str | None, outer: _Frame | None, before: int) -> None:
        self.value = value
        self.container: Any = value.data
        self.anchor = anchor
        self.outer = outer
        self.depth: int = 1 if outer is None else outer.depth + 1
        self.before = before
        self.height = 0
        self.key: Any = _OF_LIST if type(value.data) is list else _NO_KEY
        self.key_mark: Any = None
        self.merge: Value | None = None

    def put(self, value: Value, height: int) -> None:
        """One more value: of a list, behind the last key, or to merge."""
        self.height = max(self.height, height)
        if self.key is _OF_LIST:
            self.container.append(value)
            return
        if self.key is _MERGE:
            self.merge = value
        else:
            value.key_mark = self.key_mark
            self.container[self.key] = value
        self.key = _NO_KEY


class _Builder:
    def __init__(self, parser: Any, where: str) -> None:
        self._next = parser.get_event
        self._where = where
        self._anchors: dict[str, tuple[Value, int, int]] = {}
        self._nodes = 0

    def document(self) -> Value | None:
        import yaml

        starts = {yaml.MappingStartEvent: dict, yaml.SequenceStartEvent: list}
        ends = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
        scalar, alias, end, more = yaml.ScalarEvent, yaml.AliasEvent, yaml.StreamEndEvent, yaml.DocumentStartEvent
        root: Value | None = None
        frame: _Frame | None = None
        while True:
            event = self._next()
            kind = type(event)
            if kind is scalar:
                self._nodes += 1
                if frame is not None and frame.key is _NO_KEY:
                    self._key(frame, event)
                    continue
                value, height = self._scalar(event), 1
            elif kind in starts:
                frame = self._start(event, starts[kind](), frame)
                continue
            elif kind in ends:
                assert frame is not None
                value, height, frame = self._end(frame)
            elif kind is alias:
                value, height = self._alias(event, frame)
            elif kind is end:
                return root
            elif kind is more and root is not None:
                self._refuse(event.start_mark, "a second YAML document; one file holds one")
            else:
                continue
            if self._nodes > MAX_NODES:
                self._refuse(event.start_mark, f"more than {MAX_NODES} values")
            if frame is None:
                root = value
            else:
                frame.put(value, height)

    def _start(self, event: Any, container: Any, outer: _Frame | None) -> _Frame:
        if event.tag is not None and event.tag not in ("!", _CORE + "map", _CORE + "seq"):
            self._refuse(event.start_mark, f"the YAML tag {event.tag[:40]!r} is not allowed")
        self._require_value(outer, event)
        frame = _Frame(Value(container, event.start_mark), event.anchor, outer, self._nodes)
        if frame.depth > MAX_DEPTH:
            self._refuse(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        self._nodes += 1
        return frame

    def _end(self, frame: _Frame) -> tuple[Value, int, _Frame | None]:
        if frame.merge is not None:
            self._merge(frame)
        height = frame.height + 1
        if frame.anchor is not None:
            self._anchors[frame.anchor] = (frame.value, self._nodes - frame.before, height)
        return frame.value, height, frame.outer

    def _require_value(self, frame: _Frame | None, event: Any) -> None:
        if frame is not None and frame.key is _NO_KEY:
            self._refuse(event.start_mark, "a key must be text")

    def _key(self, frame: _Frame, event: Any) -> None:
        if event.value == "<<" and event.implicit[0]:
            if frame.merge is not None:
                self._refuse(event.start_mark, "the merge key << stands twice")
            frame.key = _MERGE
            return
        key = self._scalar(event).data
        if key in frame.container:
            first = frame.container[key].key_mark.line + 1
            self._refuse(event.start_mark, f"the key {str(key)[:80]!r} stands there already, in line {first}")
        frame.key, frame.key_mark = key, event.start_mark

    def _alias(self, event: Any, frame: _Frame | None) -> tuple[Value, int]:
        self._require_value(frame, event)
        found = self._anchors.get(event.anchor)
        if found is None:
            self._refuse(event.start_mark, f"the alias *{event.anchor[:40]} names nothing that stands before it")
        value, size, height = found
        self._nodes += size
        if frame is not None and frame.depth + height > MAX_DEPTH:
            self._refuse(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        return Value(value.data, value.mark, None, value.text), height

    def _merge(self, frame: _Frame) -> None:
        """Keys of the merged mappings come first, as DVC has them; own ones and those of earlier mappings win."""
        assert frame.merge is not None
        merge = frame.merge
        sources = merge.data if type(merge.data) is list else [merge]
        own = dict(frame.container)
        frame.container.clear()
        for source in reversed(sources):
            if type(source.data) is not dict:
                self._refuse(merge.mark, "the merge key << takes mappings")
            self._nodes += len(source.data)
            frame.container.update(source.data)
        frame.container.update(own)

    def _scalar(self, event: Any) -> Value:
        text, tag = event.value, event.tag
        if tag is None or tag == "!":
            data: Scalar = text
            if event.implicit[0] and tag is None and (not text or text[0] in _TYPED):
                data = self._typed(event, text)
        elif tag == _CORE + "str":
            data = text
        elif tag in (_CORE + "int", _CORE + "float", _CORE + "bool", _CORE + "null"):
            data = self._typed(event, text)
            if tag == _CORE + "float" and type(data) is int:
                data = float(data)
            if type(data) is str:
                self._refuse(event.start_mark, f"{text[:40]!r} is no {tag[len(_CORE) :]}")
        else:
            self._refuse(event.start_mark, f"the YAML tag {tag[:40]!r} is not allowed")
        value = Value(data, event.start_mark, None, None if type(data) is str else text)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1, 1)
        return value

    def _typed(self, event: Any, text: str) -> Scalar:
        if text in _WORDS:
            return _WORDS[text]
        try:
            if _INT.fullmatch(text):
                return _integer(text.replace("_", ""))
            if _FLOAT.fullmatch(text):
                digits = text.replace("_", "").lower()
                return float(digits.replace(".inf", "inf").replace(".nan", "nan"))
        except OverflowError:
            self._refuse(event.start_mark, f"a number of more than {_MAX_DIGITS} digits")
        except ValueError:
            pass
        return text

    def _refuse(self, mark: Any, why: str) -> NoReturn:
        raise FormatError(f"{self._where}:{mark.line + 1}:{mark.column + 1}: {why}", path=self._where)


def _integer(text: str) -> int:
    """Raises ``OverflowError`` where the number is too long, ``ValueError`` where there are no digits."""
    if len(text) > _MAX_DIGITS:
        raise OverflowError
    sign, digits = (-1 if text[:1] == "-" else 1), text.lstrip("+-")
    base = {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2])
    return sign * (int(digits, 10) if base is None else int(digits[2:], base))

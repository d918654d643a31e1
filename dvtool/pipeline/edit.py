"""Editing definitions so that a person's comments, order and layout stay as they are.

The text is changed at one place, and read again: unless exactly what was meant has changed, nothing is done at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import NoReturn

from dvtool.errors import FormatError
from dvtool.errors import UsageError
from dvtool.formats.lock import Json
from dvtool.formats.yamlmarked import read_yaml
from dvtool.pipeline.edittext import block
from dvtool.pipeline.edittext import flow

_STEP = 2
_ALIAS = ("alias",)


def add_stage(
    text: str, name: str, body: Mapping[str, Json], where: str, *, replace: bool = False, modeline: str = ""
) -> str:
    """*text* with one more stage, behind the others; *replace*: where the one of that name stands. An empty text begins
    with *modeline*.

    Raises `UsageError` if there is one and it is not to be replaced, `FormatError` for what is not a definition.
    """
    if not text.strip():
        return modeline + "stages:\n" + _lines(name, body, _STEP)
    root = _compose(text, where)
    if root is None:
        return _ended(text) + "stages:\n" + _lines(name, body, _STEP)
    before = _plain(root)
    found = _pair(_mapping(root, where), "stages")
    if found is None:
        if root.flow_style:
            _by_hand(where)
        at = _behind(text, root.value[-1], root.start_mark.column)
        new = _insert(text, at, "stages:\n" + _lines(name, body, _STEP))
        return _checked(new, where, [*before, ("stages", [(name, body)])])
    key, stages = found
    if _is_null(stages):
        new = text[: key.end_mark.index] + ":\n" + _lines(name, body, key.start_mark.column + _STEP).rstrip("\n")
        new += text[_colon(text, key) + 1 if stages.start_mark.index == stages.end_mark.index else _end(stages) :]
        return _checked(new, where, _with(before, "stages", [(name, body)]))
    own = _pair(_mapping(stages, where), name)
    if own is not None and not replace:
        raise UsageError(f"{where}: stage {name} is there already", hint="-f replaces it")
    others = [pair for pair in _plain(stages) if pair[0] != name]
    if stages.flow_style:
        new = _in_flow(text, stages, own, f"{_quoted(name)}: {flow(body)}")
        wanted = [(name, body) if pair[0] == name else pair for pair in _plain(stages)]
        return _checked(new, where, _with(before, "stages", wanted if own else [*others, (name, body)]))
    column = stages.value[0][0].start_mark.column
    if own is not None:
        start = _line_start(text, own[0].start_mark.index)
        new = text[:start] + _lines(name, body, column) + text[_behind(text, own, column) :]
        wanted = [(name, body) if pair[0] == name else pair for pair in _plain(stages)]
    else:
        new = _insert(text, _behind(text, stages.value[-1], column), _lines(name, body, column))
        wanted = [*others, (name, body)]
    return _checked(new, where, _with(before, "stages", wanted))


def stage_names(text: str, where: str) -> list[str]:
    """The names under ``stages``, before ``foreach`` and ``matrix``. Raises `FormatError`."""
    root = _compose(text, where)
    found = None if root is None else _pair(_mapping(root, where), "stages")
    if found is None or _is_null(found[1]):
        return []
    return [str(key.value) for key, _ in _mapping(found[1], where).value]


def remove_stage(text: str, name: str, where: str) -> str:
    """*text* without a stage, or without all that one ``foreach`` or ``matrix`` makes.

    Raises `UsageError` for a stage that is not there, `FormatError`.
    """
    if name not in stage_names(text, where):
        raise UsageError(f"{where}: there is no stage {name}")
    root = _compose(text, where)
    stages = _pair(_mapping(root, where), "stages")[1]
    own = _pair(_mapping(stages, where), name)
    if stages.flow_style:
        _by_hand(where)
    start, end = _line_start(text, own[0].start_mark.index), _behind(text, own, own[0].start_mark.column)
    if text[end:].startswith("\n") and (text[:start].endswith("\n\n") or own[0] is stages.value[0][0]):
        end += 1
    left = [pair for pair in _plain(stages) if pair[0] != name]
    return _checked(text[:start] + text[end:], where, _with(_plain(root), "stages", left or None))


def set_frozen(text: str, name: str, where: str, *, frozen: bool) -> str:
    """*text* with a stage frozen or not; the same text where it is so already.

    Of stages that ``foreach`` or ``matrix`` makes, the name before ``@`` stands for all of them. Raises `UsageError`
    for a stage that is not there, `FormatError`.
    """
    root = _compose(text, where)
    found = None if root is None else _pair(_mapping(root, where), "stages")
    own = None if found is None or _is_null(found[1]) else _pair(_mapping(found[1], where), name)
    if root is None or own is None:
        group = name.partition("@")[0]
        hint = f"what `foreach` or `matrix` makes is frozen as a whole: {group}" if group != name else None
        raise UsageError(f"{where}: there is no stage {name}", hint=hint)
    before = _plain(root)
    body = own[1]
    steps = ["stages", name]
    if (inner := _pair(_mapping(body, where), "do")) is not None:
        body = inner[1]
        steps.append("do")
    if body.start_mark.index < own[0].start_mark.index:
        _by_hand(where)
    there = _pair(_mapping(body, where), "frozen")
    if there is None:
        if not frozen:
            return text
        new = _with_frozen(text, body)
        return _checked(new, where, _deep(before, steps, [*_plain(body), ("frozen", True)]))
    if _is_true(there[1]) is frozen:
        return text
    value = there[1]
    new = text[: value.start_mark.index] + ("true" if frozen else "false") + text[value.end_mark.index :]
    line = text[_line_start(text, there[0].start_mark.index) : _line_end(text, value.end_mark.index)]
    if not frozen and not body.flow_style and len(body.value) > 1 and line.split() == ["frozen:", "true"]:
        start = _line_start(text, there[0].start_mark.index)
        new = text[:start] + text[_line_end(text, value.end_mark.index) :]
        return _checked(new, where, _deep(before, steps, [pair for pair in _plain(body) if pair[0] != "frozen"]))
    return _checked(new, where, _deep(before, steps, _with(_plain(body), "frozen", frozen)))


def _with_frozen(text: str, body: Any) -> str:
    if body.flow_style:
        return _in_flow(text, body, None, "frozen: true")
    column = body.value[0][0].start_mark.column
    return _insert(text, _behind(text, body.value[-1], column - 1), " " * column + "frozen: true\n")


class _Value(NamedTuple):
    """A value as it is compared: of two versions of YAML neither is asked what it means."""

    kind: str
    value: Any


_NOTHING = _Value("tag:yaml.org,2002:null", None)


def _plain(node: Any, seen: set[int] | None = None) -> Any:
    import yaml

    seen = set() if seen is None else seen
    if isinstance(node, yaml.ScalarNode):
        return _NOTHING if node.tag == _NOTHING.kind else _Value(node.tag, node.value)
    if id(node) in seen:
        return _ALIAS
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each, seen) for each in node.value]
    return [(key.value if isinstance(key, yaml.ScalarNode) else None, _plain(value, seen)) for key, value in node.value]


def _wanted(value: Any) -> Any:
    """A value of ours as `_plain` would see it."""
    if isinstance(value, Mapping):
        return [(key, _wanted(each)) for key, each in value.items()]
    if isinstance(value, list):
        return [_wanted(each) for each in value]
    if isinstance(value, tuple) and not isinstance(value, _Value) and len(value) == 2:
        return (value[0], _wanted(value[1]))
    if value is None:
        return _NOTHING
    if isinstance(value, bool):
        return _Value("tag:yaml.org,2002:bool", "true" if value else "false")
    return _Value("tag:yaml.org,2002:str", value) if isinstance(value, str) else value


def _with(pairs: Any, key: str, value: Any) -> Any:
    return [(each, value if each == key else old) for each, old in pairs]


def _deep(pairs: Any, steps: list[str], value: Any) -> Any:
    if not steps:
        return value
    return [(each, _deep(old, steps[1:], value) if each == steps[0] else old) for each, old in pairs]


def _checked(text: str, where: str, wanted: Any) -> str:
    try:
        root = _compose(text, where)
    except FormatError:
        _by_hand(where)
    if root is None or _plain(root) != _wanted(wanted):
        _by_hand(where)
    return text


def _compose(text: str, where: str) -> Any:
    import yaml

    # Composing goes as deep as the text does: 100,000 levels are the end of the process.
    read_yaml(text.encode("utf-8"), where)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.compose(text, Loader=loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        problem = getattr(error, "problem", None) or str(error).split("\n")[0]
        raise FormatError(f"{where}:{line}: not valid YAML: {problem}", path=where) from None


def _mapping(node: Any, where: str) -> Any:
    import yaml

    if not isinstance(node, yaml.MappingNode) or (not node.value and not node.flow_style):
        raise FormatError(f"{where}:{node.start_mark.line + 1}: expected `key: value`", path=where)
    return node


def _pair(mapping: Any, key: str) -> Any:
    return next((pair for pair in mapping.value if pair[0].value == key), None)


def _is_null(node: Any) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null") or node.value == []


def _is_true(node: Any) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:bool" and node.value.casefold() == "true")


def _in_flow(text: str, mapping: Any, own: Any, pair: str) -> str:
    if own is not None:
        return text[: own[0].start_mark.index] + pair + text[own[1].end_mark.index :]
    at = mapping.start_mark.index + 1 if not mapping.value else mapping.value[-1][1].end_mark.index
    return text[:at] + (", " if mapping.value else "") + pair + text[at:]


def _end(node: Any) -> int:
    """Behind the last character of *node*: the mark of a block stands behind the comments that follow it."""
    import yaml

    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = (
            (last[1] if last[1].value or last[1].start_mark.index > last[0].end_mark.index else last[0])
            if isinstance(node, yaml.MappingNode)
            else last
        )
    return int(node.end_mark.index)


def _behind(text: str, pair: Any, column: int) -> int:
    """The start of the line behind *pair*, and behind comments that are indented deeper than *column*."""
    key, value = pair
    at = max(_end(value), key.end_mark.index) if value.start_mark.index >= key.start_mark.index else key.end_mark.index
    at = len(text[:at].rstrip(" \n\r\t"))
    at = _line_end(text, at)
    while at < len(text):
        end = _line_end(text, at)
        line = text[at:end]
        if not (line.lstrip(" ").startswith("#") and len(line) - len(line.lstrip(" ")) > column):
            break
        at = end
    return at


def _colon(text: str, key: Any) -> int:
    return text.index(":", key.end_mark.index)


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at)
    return len(text) if found < 0 else found + 1


def _insert(text: str, at: int, what: str) -> str:
    return _ended(text[:at]) + what + text[at:]


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _lines(name: str, body: Mapping[str, Json], column: int) -> str:
    return "".join(f"{line}\n" for line in block(name, dict(body), column))


def _quoted(name: str) -> str:
    return flow({name: None})[1:].rpartition(":")[0]


def _by_hand(where: str) -> NoReturn:
    raise FormatError(
        f"{where}: its layout is too unusual to be edited without risk; nothing was changed",
        path=where,
        hint="make the change in an editor",
    )

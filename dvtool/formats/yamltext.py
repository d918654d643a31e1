"""YAML under limits: what people and repositories write is read without surprises.

No tags, no anchors or aliases, no duplicate or merge keys, bounded depth, nodes and size;
YAML bombs end here. Positions in errors are lines of the whole file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dvtool.errors import FormatError

MAX_DEPTH = 64
MAX_NODES = 200_000


def check_yaml_mapping(text: str, where: str, *, first_line: int, reserved: frozenset[str]) -> None:
    """Raise `FormatError` unless *text* is empty, comments, or one safe mapping without *reserved* keys.

    The mapping is in block style from the first column, so that it also is one behind other
    lines. *first_line* is the line number in the file that *text* begins at. Lines end with LF.
    """
    if all(not line.strip(" ") or line.lstrip(" ").startswith("#") for line in text.split("\n")):
        return
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_events(yaml.parse(text, Loader=loader), where, first_line)
        # Composed, not loaded: making values of numbers and dates can overflow or take long.
        root = yaml.compose(text, Loader=loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = first_line + (mark.line if mark is not None else 0)
        problem = getattr(error, "problem", None) or str(error).split("\n")[0]
        raise FormatError(f"{where}:{line}: not valid YAML: {problem}", path=where) from None
    if not isinstance(root, yaml.MappingNode) or root.flow_style or root.start_mark.column:
        raise FormatError(f"{where}:{first_line}: expected `key: value` lines", path=where)
    for key, _ in root.value:
        if key.value in reserved or key.tag != "tag:yaml.org,2002:str":
            line = first_line + key.start_mark.line
            raise FormatError(f"{where}:{line}: the key {key.value[:40]!r} must not stand here", path=where)


def _check_events(events: Iterable[Any], where: str, first_line: int) -> None:
    import yaml

    keys: list[set[str] | None] = []
    at_key: list[bool] = []
    for number, event in enumerate(events):
        place = f"{where}:{first_line + event.start_mark.line}"
        if number > MAX_NODES:
            raise FormatError(f"{place}: more than {MAX_NODES} YAML nodes", path=where)
        if (what := _not_allowed(event)) is not None:
            raise FormatError(f"{place}: YAML {what} are not allowed here", path=where)
        is_key = bool(at_key) and at_key[-1]
        if isinstance(event, yaml.CollectionStartEvent):
            if is_key:
                raise FormatError(f"{place}: a key must be plain text", path=where)
            if len(keys) == MAX_DEPTH:
                raise FormatError(f"{place}: nested deeper than {MAX_DEPTH} levels", path=where)
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            keys.append(set() if is_mapping else None)
            at_key.append(is_mapping)
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            keys.pop()
            at_key.pop()
        elif is_key and (known := keys[-1]) is not None:
            if event.value in known or event.value == "<<":
                raise FormatError(f"{place}: the key {event.value[:40]!r} stands twice or merges others", path=where)
            known.add(event.value)
        if at_key and keys[-1] is not None:
            at_key[-1] = not at_key[-1]


def _not_allowed(event: Any) -> str | None:
    import yaml

    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        return "anchors and aliases"
    if getattr(event, "tag", None) or getattr(event, "tags", None):
        return "tags"
    if isinstance(event, (yaml.DocumentStartEvent, yaml.DocumentEndEvent)) and event.explicit:
        return "document marks"
    return None

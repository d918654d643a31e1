"""YAML under limits: what people and repositories write is read without surprises.

No tags, no anchors or aliases, no duplicate or merge keys, bounded depth, nodes and size;
YAML bombs end here. Positions in errors are lines of the whole file.
"""

from __future__ import annotations

from typing import Any

from dvtool.errors import FormatError

MAX_DEPTH = 64
MAX_NODES = 200_000


def check_yaml_mapping(text: str, where: str, *, first_line: int, reserved: frozenset[str]) -> None:
    """Raise `FormatError` unless *text* is empty, comments, or one safe mapping without *reserved* keys.

    *first_line* is the line number in the file that *text* begins at.
    """
    if all(not line.strip() or line.lstrip().startswith("#") for line in text.split("\n")):
        return
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_events(yaml.parse(text, Loader=loader), where, first_line)
        value: Any = yaml.load(text, Loader=loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = first_line + (mark.line if mark is not None else 0)
        problem = getattr(error, "problem", None) or str(error).split("\n")[0]
        raise FormatError(f"{where}:{line}: not valid YAML: {problem}", path=where) from None
    if not isinstance(value, dict):
        raise FormatError(f"{where}:{first_line}: expected `key: value` lines", path=where)
    for key in value:
        if key in reserved or not isinstance(key, str):
            raise FormatError(f"{where}:{first_line}: the key {str(key)[:40]!r} must not stand here", path=where)


def _check_events(events: Any, where: str, first_line: int) -> None:
    import yaml

    depth = 0
    keys: list[set[str] | None] = []
    at_key: list[bool] = []
    for number, event in enumerate(events):
        line = first_line + event.start_mark.line
        if number > MAX_NODES:
            raise FormatError(f"{where}:{line}: more than {MAX_NODES} YAML nodes", path=where)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise FormatError(f"{where}:{line}: YAML anchors and aliases are not allowed here", path=where)
        if getattr(event, "tag", None):
            raise FormatError(f"{where}:{line}: YAML tags are not allowed here", path=where)
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            keys.pop()
            at_key.pop()
            if at_key:
                at_key[-1] = not at_key[-1]
            continue
        if isinstance(event, yaml.ScalarEvent) and keys and keys[-1] is not None and at_key[-1]:
            if event.value in keys[-1] or event.value == "<<":
                raise FormatError(f"{where}:{line}: the key {event.value[:40]!r} stands twice", path=where)
            keys[-1].add(event.value)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise FormatError(f"{where}:{line}: nested deeper than {MAX_DEPTH} levels", path=where)
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            keys.append(set() if is_mapping else None)
            at_key.append(is_mapping)
        elif isinstance(event, yaml.ScalarEvent) and at_key:
            at_key[-1] = not at_key[-1]

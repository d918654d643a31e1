"""YAML as the tool writes it into a definition: plain where it may be, quoted where it must."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from collections.abc import Mapping

from dvtool.formats.lock import Json

_NUMBER_LIKE = re.compile(r"[-+.]?[0-9].*|[-+.]+.*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~"})
"""What one version or the other of YAML takes for something else than text."""


def block(key: str, value: Json, column: int) -> Iterator[str]:
    """The lines of ``key: value`` from *column* on."""
    head = " " * column + scalar(key) + ":"
    if isinstance(value, dict) and value:
        yield head
        for each, inner in value.items():
            yield from block(each, inner, column + 2)
    elif isinstance(value, list) and value:
        yield head
        for item in value:
            yield from _item(item, column)
    elif value is None:
        yield head
    else:
        yield f"{head} {scalar(value)}"


def scalar(value: Json) -> str:
    """One value that stands in one line."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if _is_plain(value):
        return value
    if value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    return f"\\U{ord(character):08x}"


def _item(item: Json, column: int) -> Iterator[str]:
    dash = " " * column + "- "
    if isinstance(item, dict) and item:
        first = True
        for key, inner in item.items():
            for line in block(key, inner, column + 2):
                yield dash + line[len(dash) :] if first else line
                first = False
    else:
        yield dash + (scalar(item) if not isinstance(item, (list, dict)) else json.dumps(item))


def _is_plain(value: str) -> bool:
    import yaml

    if not value or not value.isprintable() or value.casefold() in _WORDS or _NUMBER_LIKE.fullmatch(value):
        return False
    try:
        node = yaml.compose(f"- {value}", Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return False
    if not isinstance(node, yaml.SequenceNode) or len(node.value) != 1:
        return False
    item = node.value[0]
    return isinstance(item, yaml.ScalarNode) and item.tag == "tag:yaml.org,2002:str" and item.value == value


def flow(body: Mapping[str, Json]) -> str:
    """A mapping in one line."""
    return json.dumps(body, ensure_ascii=False)

"""The stages that ``foreach`` and ``matrix`` make: their names, and what ``item`` and ``key`` are in each."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from math import prod

from dvtool.formats.yamlmarked import Value
from dvtool.pipeline.definition.context import Node
from dvtool.pipeline.definition.shapes import Reading
from dvtool.pipeline.definition.shapes import describe
from dvtool.pipeline.definition.templates import Resolver
from dvtool.pipeline.definition.templates import to_text

MAX_STAGES = 10_000
_COMPOSITE = (list, dict)

Items = Mapping[str, Node]


def foreach(value: Value, resolver: Resolver, reading: Reading, room: int) -> dict[str, Items]:
    """By the part of the name behind ``@``: ``item``, and ``key`` where *value* is a mapping.

    Raises `ConfigError` where there are more than *room*.
    """
    whole = resolver.as_node(value)
    if type(whole.data) not in _COMPOSITE:
        reading.refuse(value, f"`foreach` takes a list or a mapping, found {describe(whole.data)}")
    _check_number(len(whole.data), value, reading, room)
    if type(whole.data) is dict:
        return {
            name: {"item": node, "key": Node(name, outside=whole.outside or node.outside)}
            for name, node in whole.data.items()
        }
    nodes = whole.items()
    if any(type(node.data) in _COMPOSITE for node in nodes):
        return {str(at): {"item": node} for at, node in enumerate(nodes)}
    return {_name(node): {"item": node} for node in nodes}


def matrix(value: Value, resolver: Resolver, reading: Reading, room: int) -> dict[str, Items]:
    """The same of every combination: ``item`` holds a value of each axis, ``key`` is the part of the name."""
    axes: dict[str, list[Node]] = {}
    for name, axis in value.data.items():
        whole = resolver.as_node(axis)
        if type(whole.data) not in _COMPOSITE:
            reading.refuse(axis, f"an axis of a matrix takes a list, found {describe(whole.data)}")
        keys = whole.data if type(whole.data) is dict else ()
        axes[name] = [Node(key, outside=whole.outside) for key in keys] if keys else whole.items()
    _check_number(prod(len(axis) for axis in axes.values()), value, reading, room)
    found: dict[str, Items] = {}
    for combination in product(*(enumerate(axis) for axis in axes.values())):
        named = list(zip(axes, combination, strict=True))
        key = "-".join(f"{name}{at}" if type(node.data) in _COMPOSITE else _name(node) for name, (at, node) in named)
        values = {name: node for name, (_, node) in named}
        found[key] = {"key": Node(key, outside=any(node.outside for node in values.values())), "item": Node(values)}
    return found


def _name(node: Node) -> str:
    """A value as part of a stage's name. DVC writes ``True`` where it comes from ``vars`` or a file."""
    return str(node.data) if node.path else to_text(node.data)


def _check_number(number: int, value: Value, reading: Reading, room: int) -> None:
    if number > room:
        reading.refuse(
            value,
            f"{number if number < 10**12 else 'countless'} stages, where one file makes at most {MAX_STAGES}",
            "take values away, or loop over them inside the command",
        )

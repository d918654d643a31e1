"""Parameters and metrics side by side: nested values under dotted keys, compared key by key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from dvtool.formats.lock import Json


class Row(NamedTuple):
    """One key of one file on every side.

    ``values``: what each side holds, in a tuple; None where it lacks the key. ``changes``: for each side after the
    first, its number less the first one's; None where one of the two is no finite number.
    """

    file: bytes
    key: str
    values: tuple[tuple[Json] | None, ...]
    changes: tuple[int | float | None, ...]

    @property
    def is_changed(self) -> bool:
        """Whether any side differs from the first."""
        return not all(same(self.values[0], value) for value in self.values[1:])


Sides = Sequence[Mapping[bytes, Json]]


def flatten(values: Json) -> dict[str, Json]:
    """Leaves by dotted key. Lists and empty mappings are leaves; a file that holds one value has it under ``""``.

    A key that holds a dot itself and a nested one may meet: then the later key in the file is kept.
    """
    if not isinstance(values, dict) or not values:
        return {} if values is None or values == {} else {"": values}
    flat: dict[str, Json] = {}
    pending: list[tuple[str, Json]] = [(str(key), value) for key, value in reversed(values.items())]
    while pending:
        key, value = pending.pop()
        if isinstance(value, dict) and value:
            pending += [(f"{key}.{name}", inner) for name, inner in reversed(value.items())]
        else:
            flat[key] = value
    return flat


def value_at(values: Json, key: str) -> tuple[Json] | None:
    """The value under a dotted key, in a tuple; None where there is none. A key that holds dots itself goes first."""
    if isinstance(values, dict):
        if key in values:
            return (values[key],)
        head, dot, rest = key.partition(".")
        while dot:
            if head in values and (found := value_at(values[head], rest)) is not None:
                return found
            more, dot, rest = rest.partition(".")
            head = f"{head}.{more}"
    elif isinstance(values, list):
        head, dot, rest = key.partition(".")
        if head.isascii() and head.isdigit() and int(head) < len(values):
            return value_at(values[int(head)], rest) if dot else (values[int(head)],)
    return None


def compare(sides: Sides, *, everything: bool = False) -> list[Row]:
    """Rows sorted by file, keys as the sides have them; those that are the same on every side only if asked for."""
    rows: list[Row] = []
    for file in sorted({file for side in sides for file in side}):
        flat = [flatten(side.get(file)) for side in sides]
        for key in dict.fromkeys(key for side in flat for key in side):
            values = tuple((side[key],) if key in side else None for side in flat)
            row = Row(file, key, values, tuple(change(values[0], value) for value in values[1:]))
            if everything or row.is_changed:
                rows.append(row)
    return rows


def change(old: tuple[Json] | None, new: tuple[Json] | None) -> int | float | None:
    """The new number less the old one; None where either is missing or is no finite number."""
    if old is None or new is None:
        return None
    before, after = old[0], new[0]
    if not (_is_finite(before) and _is_finite(after)):
        return None
    assert isinstance(before, (int, float))
    assert isinstance(after, (int, float))
    try:
        difference = after - before
    except OverflowError:
        return None
    return difference if _is_finite(difference) else None


def same(old: tuple[Json] | None, new: tuple[Json] | None) -> bool:
    """Whether two sides hold the same. ``1`` and ``1.0`` are the same number, ``true`` is none; NaN equals itself."""
    if old is None or new is None:
        return old is new
    return _equal(old[0], new[0])


def _equal(old: Json, new: Json) -> bool:
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_equal(value, new[key]) for key, value in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(_equal(one, other) for one, other in zip(old, new))
    if isinstance(old, float) and isinstance(new, float) and math.isnan(old) and math.isnan(new):
        return True
    return old == new


def _is_finite(value: Json) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return isinstance(value, int) or math.isfinite(value)

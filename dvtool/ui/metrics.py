"""What `metrics` and `params` tell."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from dvtool.model.paths import show
from dvtool.pipeline.values import flatten
from dvtool.project.valuesat import Problem
from dvtool.project.valuesat import SideValues
from dvtool.project.valuesat import in_words
from dvtool.ui.values import Look
from dvtool.ui.values import json_value
from dvtool.ui.values import value_cell

_MOST_NOTES = 5
_MISSING = "-"


def metrics_cells(sides: Sequence[SideValues], look: Look, missing: str = _MISSING) -> Iterator[list[str]]:
    """The heading, then a row for each file of each side that has values; a column for each key.

    The revision's column is left out where there is one. Nothing without values.
    """
    rows = [(one.side.name, file, flatten(values)) for one in sides for file, values in one.values.items()]
    keys = list(dict.fromkeys(key for _, _, flat in rows for key in flat))
    if not keys:
        return
    yield [*(["revision"] if len(sides) > 1 else []), *(["path"] if look.with_path else []), *(_title(k) for k in keys)]
    for name, file, flat in rows:
        cells = [value_cell(flat[key], look.precision) if key in flat else missing for key in keys]
        yield [*([name] if len(sides) > 1 else []), *([show(file)] if look.with_path else []), *cells]


def metrics_json(sides: Sequence[SideValues], problems: Sequence[Problem]) -> dict[str, Any]:
    """Values under dotted keys, by file and revision."""
    return {
        "revisions": [
            {
                "revision": one.side.name,
                "commit": one.side.commit,
                "files": [
                    {
                        "path": file,
                        "values": [{"key": key, "value": json_value(value)} for key, value in flatten(values).items()],
                    }
                    for file, values in one.values.items()
                ],
            }
            for one in sides
        ],
        "problems": problems_json(problems),
    }


def problems_json(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """What has no values, and why; ``problem`` is null where it is not there."""
    return [
        {"revision": each.side, "path": each.path, "problem": None if each.error is None else each.error.message}
        for each in problems
    ]


def problem_notes(problems: Iterable[Problem], told: frozenset[str]) -> list[str]:
    """A line for each, but not for errors of the sides in *told*, which the command ends with; at most a few."""
    lines = []
    for each in problems:
        if each.error is None:
            lines.append(f"{show(each.path)} is not there in {in_words(each.side)}")
        elif each.side not in told:
            lines.append(f"in {in_words(each.side)}: {each.error.message}")
    more = len(lines) - _MOST_NOTES
    return lines if more <= 1 else [*lines[:_MOST_NOTES], f"and {more:,} more; --json has them all"]


def _title(key: str) -> str:
    return key or "value"

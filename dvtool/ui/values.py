"""Parameters and metrics as a table of text, Markdown or CSV, and as JSON."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from dvtool.formats.lock import Json
from dvtool.formats.lock import value_text
from dvtool.model.paths import show
from dvtool.pipeline.values import Row
from dvtool.ui.tables import table
from dvtool.ui.text import safe

MISSING = "(missing)"
DEFAULT_PRECISION = 5
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Look:
    """``precision``: significant digits of numbers that are no integers; None shows all of them."""

    precision: int | None = DEFAULT_PRECISION
    with_path: bool = True


def text_lines(names: Sequence[str], rows: Sequence[Row], look: Look) -> Iterator[str]:
    """Aligned columns below a heading; nothing without rows."""
    if rows:
        yield from as_text(_cells(names, rows, look))


def markdown_lines(names: Sequence[str], rows: Sequence[Row], look: Look) -> Iterator[str]:
    """A table as GitHub and GitLab show it."""
    yield from as_markdown(_cells(names, rows, look))


def csv_lines(names: Sequence[str], rows: Sequence[Row], look: Look) -> Iterator[str]:
    """Comma-separated values with a heading; a missing value is an empty field, numbers are whole."""
    yield from as_csv(_cells(names, rows, Look(None, look.with_path), missing=""))


def as_text(cells: Iterable[Sequence[str]]) -> list[str]:
    """Aligned columns, the heading first."""
    return table([[safe(cell).replace("\n", " ") for cell in line] for line in cells])


def as_markdown(cells: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table, the heading first."""
    heading, *body = cells
    yield _markdown(heading)
    yield "|" + "---|" * len(heading)
    yield from (_markdown(line) for line in body)


def as_csv(cells: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines without their ends; no cell is taken for a formula."""
    for line in cells:
        out = StringIO()
        csv.writer(out, lineterminator="\r\n").writerow([_not_a_formula(safe(cell)) for cell in line])
        yield out.getvalue().removesuffix("\r\n")


def values_json(names: Sequence[str], rows: Sequence[Row]) -> dict[str, Any]:
    """``values`` has one entry for each of ``sides``, None for a missing one, else the value under ``value``.

    Of two sides, a row has them under ``old`` and ``new`` too, where they are there, and their ``diff``.
    """
    return {"sides": list(names), "rows": [_row_json(row) for row in rows]}


def _row_json(row: Row) -> dict[str, Any]:
    values = [None if value is None else {"value": json_value(value[0])} for value in row.values]
    found: dict[str, Any] = {"path": row.file, "key": row.key, "changed": row.is_changed}
    found |= {"values": values, "diffs": list(row.changes)}
    if len(values) == 2:
        found |= {name: value["value"] for name, value in zip(("old", "new"), values) if value is not None}
        found["diff"] = row.changes[0]
    return found


def _cells(names: Sequence[str], rows: Sequence[Row], look: Look, missing: str = MISSING) -> Iterator[list[str]]:
    """The heading, then the rows. Two sides have one column ``diff``, more have one for each but the first."""
    changes = [] if len(names) < 2 else ["diff"] if len(names) == 2 else [f"diff {name}" for name in names[1:]]
    path = ["path"] if look.with_path else []
    yield [*path, "key", *names, *changes]
    for row in rows:
        values = [missing if value is None else value_cell(value[0], look.precision) for value in row.values]
        differences = ["" if each is None else value_cell(each, look.precision) for each in row.changes]
        yield [*([show(row.file)] if look.with_path else []), row.key, *values, *differences]


def value_cell(value: Json, precision: int | None) -> str:
    """A value as it stands in a table; text as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and (precision is not None or not math.isfinite(value)):
        return f"{value:.{precision or DEFAULT_PRECISION}g}"
    return value_text(value)


def _markdown(cells: Sequence[str]) -> str:
    escaped = (safe(cell).replace("\n", " ").replace("\\", "\\\\").replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(each.replace('<', '&lt;') for each in escaped)} |"


def _not_a_formula(cell: str) -> str:
    """Spreadsheets carry out what begins like a formula; a number is none."""
    if not cell.startswith(_FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def json_value(value: Json) -> Json:
    """JSON has no NaN: such numbers stand as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: json_value(each) for key, each in value.items()}
    if isinstance(value, list):
        return [json_value(each) for each in value]
    return value

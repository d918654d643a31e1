"""What a change brings, as a comment on it, in words and as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Sequence

from dvtool.api.metrics import ValuesDiffResult
from dvtool.api.report import ReportResult
from dvtool.model.paths import show
from dvtool.project.valuesat import Problem
from dvtool.project.valuesat import in_words
from dvtool.ui.diff import changes_json
from dvtool.ui.diff import code
from dvtool.ui.diff import diff_lines
from dvtool.ui.diff import groups
from dvtool.ui.diff import markdown_table
from dvtool.ui.diff import summary
from dvtool.ui.metrics import problems_json
from dvtool.ui.terminal import Paint
from dvtool.ui.text import safe
from dvtool.ui.values import Look
from dvtool.ui.values import markdown_lines
from dvtool.ui.values import text_lines
from dvtool.ui.values import values_json

MARK = "<!-- dvtool report -->"
"""The first line: by it a job finds the comment that it wrote before."""
_LIMIT = 60_000
"""GitHub refuses comments of more than 65,536 characters."""
_VALUES_LIMIT = 15_000
_OPEN_ROWS = 20
_COMMIT = re.compile("[0-9a-f]{40,64}")
_SHORT = 10


def report_markdown(result: ReportResult, look: Look, old: str = "") -> Iterator[str]:
    """A part for data, for parameters, for metrics; one that has nothing to say is left out.

    *old*: what people call the older side, where it is no name that they gave.
    """
    old, new = old or _name(result.old), _name(result.new or "worktree")
    yield MARK
    yield f"## {code(old)} → {code(new)}"
    left = _LIMIT
    values: list[str] = []
    for title, part in (("Metrics", result.metrics), ("Parameters", result.params)):
        values += _values_part(title, part, look, old)
    left -= sum(len(line) + 1 for line in values)
    if not result.data.is_empty or result.data.unread:
        yield ""
        yield "### Data"
        yield ""
        yield summary(result.data)
        changes = sum(len(changes) for changes in groups(result.data).values())
        if changes:
            table = markdown_table(result.data, limit=left)
            yield ""
            yield from _folded(table, f"{changes:,} paths") if changes > _OPEN_ROWS else table
        for path, error in result.data.unread[:3]:
            yield ""
            yield f"> {code(show(path))} could not be compared: {_plain(error.message)}"
    yield from values
    if result.is_empty:
        yield ""
        yield "No data, parameter or metric differs."


def report_lines(result: ReportResult, look: Look, paint: Paint) -> Iterator[str]:
    """The same for a terminal."""
    parts: list[tuple[str, list[str]]] = []
    if not result.data.is_empty or result.data.unread:
        parts.append(("Data", list(diff_lines(result.data, paint))))
    for title, part in (("Metrics", result.metrics), ("Parameters", result.params)):
        parts.append((title, list(text_lines(_names(part), part.rows, look))))
    shown = [(title, lines) for title, lines in parts if lines]
    for at, (title, lines) in enumerate(shown):
        if at:
            yield ""
        yield paint(title, "bold")
        yield from lines
    if not shown:
        yield "no data, parameter or metric differs"


def report_json(result: ReportResult) -> dict[str, object]:
    """The document of ``report/1``."""
    return {
        "old": result.old,
        "new": result.new,
        "data": changes_json(result.data),
        "params": _values_json(result.params),
        "metrics": _values_json(result.metrics),
    }


def _values_part(title: str, part: ValuesDiffResult, look: Look, old: str) -> Iterator[str]:
    problems = [each for each in part.problems if each.error is not None]
    if not part.rows and not problems:
        return
    yield ""
    yield f"### {title}"
    yield ""
    if part.rows:
        table = list(markdown_lines([old, *_names(part)[1:]], part.rows, look))
        kept = _fitting(table)
        yield from _folded(iter(kept), f"{len(part.rows):,} values") if len(part.rows) > _OPEN_ROWS else kept
        if len(kept) < len(table):
            yield ""
            yield f"... and {len(table) - len(kept):,} more"
    for each in problems[:3]:
        yield ""
        yield _problem(each)


def _fitting(table: Sequence[str]) -> Sequence[str]:
    written = 0
    for at, line in enumerate(table):
        written += len(line) + 1
        if written > _VALUES_LIMIT:
            return table[:at]
    return table


def _folded(table: Iterator[str], title: str) -> Iterator[str]:
    yield f"<details><summary>{title}</summary>"
    yield ""
    yield from table
    yield ""
    yield "</details>"


def _problem(each: Problem) -> str:
    message = "" if each.error is None else _plain(each.error.message)
    return f"> {code(show(each.path))} of {_plain(in_words(_name(each.side)))}: {message}"


def _names(part: ValuesDiffResult) -> list[str]:
    return [_name(side.name) for side in part.sides]


def _name(rev: str) -> str:
    return rev[:_SHORT] if _COMMIT.fullmatch(rev) else rev


def _plain(text: str) -> str:
    """Text in which nothing is Markdown, nor a mention of somebody."""
    return code(safe(text).replace("\n", " "))


def _values_json(part: ValuesDiffResult) -> dict[str, object]:
    names = [side.name for side in part.sides]
    return {**values_json(names, part.rows), "problems": problems_json(part.problems)}

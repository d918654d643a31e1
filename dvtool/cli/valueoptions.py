"""Options of the verbs that show parameters and metrics."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

import click

from dvtool.cli.frame import PATH
from dvtool.cli.session import Session
from dvtool.errors import UsageError

if TYPE_CHECKING:
    from dvtool.api.metrics import ValuesDiffResult

Function = TypeVar("Function", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--md", "as_markdown", is_flag=True, help="Print a Markdown table."),
    click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values, numbers in full."),
    click.option(
        "--precision",
        type=click.IntRange(1, 17),
        default=5,
        metavar="N",
        show_default=True,
        help="Significant digits of numbers.",
    ),
    click.option("--no-path", is_flag=True, help="Leave the column of paths out."),
)
_DIFF_OPTIONS = (
    click.argument("revs", nargs=-1, metavar="[REV]..."),
    click.option(
        "--targets", multiple=True, type=PATH, metavar="PATH", help="Only this file or directory; may be repeated."
    ),
    click.option("--all", "everything", is_flag=True, help="Also what is the same everywhere."),
    *_OPTIONS,
)


def value_options(function: Function) -> Function:
    """``--md --csv --precision --no-path``."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def diff_options(function: Function) -> Function:
    """The same with ``[REV]... --targets --all``."""
    for option in reversed(_DIFF_OPTIONS):
        function = option(function)
    return function


def show_cells(session: Session, cells: Iterable[Sequence[str]], *, as_markdown: bool, as_csv: bool) -> None:
    """Print a table as asked; nothing for one without rows."""
    from dvtool.ui.values import as_csv as csv_of
    from dvtool.ui.values import as_markdown as markdown_of
    from dvtool.ui.values import as_text

    found = list(cells)
    if found:
        session.lines(markdown_of(found) if as_markdown else csv_of(found) if as_csv else as_text(found))


def show_diff(
    session: Session,
    result: ValuesDiffResult,
    schema: str,
    *,
    as_json: bool,
    as_markdown: bool,
    as_csv: bool,
    precision: int,
    no_path: bool,
) -> None:
    """Print values side by side as asked."""
    from dvtool.ui.metrics import problem_notes
    from dvtool.ui.metrics import problems_json
    from dvtool.ui.values import Look
    from dvtool.ui.values import csv_lines
    from dvtool.ui.values import markdown_lines
    from dvtool.ui.values import text_lines
    from dvtool.ui.values import values_json

    only_one(as_json=as_json, as_markdown=as_markdown, as_csv=as_csv)
    names = [side.name for side in result.sides]
    look = Look(precision, not no_path)
    for line in problem_notes(result.problems, result.asked):
        session.note(line)
    if as_json:
        session.json(schema, {**values_json(names, result.rows), "problems": problems_json(result.problems)})
    elif as_markdown:
        session.lines(markdown_lines(names, result.rows, look))
    elif as_csv:
        session.lines(csv_lines(names, result.rows, look))
    else:
        session.lines(text_lines(names, result.rows, look))


def only_one(*, as_json: bool, as_markdown: bool, as_csv: bool) -> None:
    """Raise `UsageError` where the result is asked for in two forms."""
    given = [name for name, is_given in (("--json", as_json), ("--md", as_markdown), ("--csv", as_csv)) if is_given]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} cannot go together", hint="choose one of them")

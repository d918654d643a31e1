"""Write docs/reference/cli/ from the command line itself: one page for each verb, and an index.

Run it after a change of a verb's options or help; a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from inspect import cleandoc
from io import BytesIO
from io import StringIO
from pathlib import Path

import click

from dvtool.cli.frame import VerbCommand
from dvtool.cli.frame import VerbGroup
from dvtool.cli.frame import common_options
from dvtool.cli.group import load
from dvtool.cli.group import program
from dvtool.cli.session import Session
from dvtool.cli.table import ALIASES
from dvtool.cli.table import SECTIONS
from dvtool.cli.table import VERBS

PLACE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "cli"
NOTE = "<!-- Written by scripts/gen_reference.py from the command line. Change the verb, then run it. -->\n"


def pages() -> dict[str, str]:
    """File name to text of every page."""
    context = _context(program, None, "dvtool")
    found = {"index.md": _index(context)}
    for name, entry in VERBS.items():
        found[f"{name}.md"] = _page(load(entry.target), context, name, entry.summary)
    return found


def main() -> int:
    PLACE.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for old in PLACE.glob("*.md"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        (PLACE / name).write_text(text, encoding="utf-8")
    print(f"{len(wanted)} pages written")
    return 0


def _context(command: click.Command, parent: click.Context | None, name: str) -> click.Context:
    session = Session(BytesIO(), StringIO(), StringIO(), {}, b"/")
    # With the command's own settings: click keeps the help option that it makes first.
    settings = {**command.context_settings, "terminal_width": 100, "max_content_width": 100}
    return click.Context(command, parent=parent, info_name=name, obj=session, **settings)


def _index(context: click.Context) -> str:
    lines = [NOTE, "# Command line\n"]
    for title, verbs in SECTIONS.items():
        if verbs:
            lines += [f"## {title}\n", "| verb | |", "|---|---|"]
            lines += [f"| [`dvtool {name}`]({name}.md) | {entry.summary} |" for name, entry in verbs.items()]
            lines.append("")
    lines += ["## Options of every verb\n", "They may stand before the verb or after it.\n"]
    lines += _options(context, common_options([]))
    lines.append("The exit status is the same for all verbs: see [exit codes](../exit-codes.md).")
    return "\n".join(lines) + "\n"


def _page(command: click.Command, parent: click.Context, name: str, summary: str) -> str:
    lines = [NOTE, f"# dvtool {name}\n", f"{summary}\n"]
    others = [alias for alias, target in ALIASES.items() if target == name]
    if others:
        lines.append(f"Also: {', '.join(f'`dvtool {alias}`' for alias in others)}.\n")
    lines += _section(command, parent, name)
    lines.append(
        "Options of every verb: see [Command line](index.md). Exit status: see [exit codes](../exit-codes.md)."
    )
    return "\n".join(lines) + "\n"


def _section(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    context = _context(command, parent, name)
    yield f"```text\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield from _paragraphs(command)
    yield from _options(context, command.params)
    assert isinstance(command, VerbCommand | VerbGroup)
    if command.examples:
        yield "Examples:\n\n```sh\n" + "\n".join(command.examples) + "\n```\n"
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield f"## {context.command_path} {below}\n"
            yield f"{_first_line(found)}\n"
            yield from _section(found, context, below)


def _options(context: click.Context, params: list[click.Parameter]) -> list[str]:
    options = [param for param in params if isinstance(param, click.Option)]
    records = [record for option in options if (record := option.get_help_record(context)) is not None]
    if not records:
        return []
    rows = [f"| `{names}` | {text} |" for names, text in records]
    return ["| option | |", "|---|---|", *rows, ""]


def _first_line(command: click.Command) -> str:
    return cleandoc(command.help or "").partition("\n")[0]


def _paragraphs(command: click.Command) -> list[str]:
    text = cleandoc(command.help or "").partition("\n")[2].strip()
    return [f"{text}\n"] if text else []


if __name__ == "__main__":
    sys.exit(main())

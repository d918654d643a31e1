"""The top of the command tree: verbs come from the table when they are asked for."""

from __future__ import annotations

from importlib import import_module

import click
from click.shell_completion import CompletionItem

from dvtool import __version__
from dvtool.cli.frame import VerbGroup
from dvtool.cli.session import Session
from dvtool.cli.table import ALIASES
from dvtool.cli.table import ELSEWHERE
from dvtool.cli.table import HIDDEN
from dvtool.cli.table import SECTIONS
from dvtool.cli.table import VERBS


class Program(VerbGroup):
    """``dvtool`` itself."""

    elsewhere = ELSEWHERE

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = VERBS.get(ALIASES.get(cmd_name, cmd_name)) or HIDDEN.get(cmd_name)
        return None if entry is None else load(entry.target)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Verbs from the table alone: importing each for its summary would take longer than a key press."""
        verbs = [
            CompletionItem(name, help=entry.summary) for name, entry in VERBS.items() if name.startswith(incomplete)
        ]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, verbs in SECTIONS.items():
            if verbs:
                with formatter.section(title):
                    formatter.write_dl([(name, entry.summary) for name, entry in verbs.items()])


def load(target: str) -> click.Command:
    """The click command that a row of the table names."""
    module, _, attribute = target.partition(":")
    command = getattr(import_module(f"dvtool.cli.verbs.{module}"), attribute)
    assert isinstance(command, click.Command)
    return command


def _show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        session = ctx.find_object(Session)
        assert session is not None
        session.line(f"dvtool {__version__}")
        ctx.exit()


@click.group(
    "dvtool",
    cls=Program,
    examples=(
        "dvtool init                     # beside `git init`, once",
        "dvtool add data/                # track a file or a directory",
        "dvtool push                     # send what is tracked to the remote",
        "dvtool pull                     # in a clone: get the same bytes",
    ),
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Print the version."
)
def program() -> None:
    """Versions of data, next to Git."""

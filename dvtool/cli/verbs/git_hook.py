"""``dvtool git-hook``: what Git calls. Each command is imported when it is called, for Git waits for it."""

from __future__ import annotations

from importlib import import_module

import click

from dvtool.cli.frame import VerbGroup

COMMANDS: dict[str, str] = {
    "merge-driver": "git_merge_driver:merge_driver",
    "post-checkout": "git_hooks:post_checkout",
    "post-commit": "git_hooks:post_commit",
    "post-merge": "git_hooks:post_merge",
    "post-rewrite": "git_hooks:post_rewrite",
    "pre-commit": "git_hooks:pre_commit",
    "pre-push": "git_hooks:pre_push",
    "textconv": "git_textconv:textconv",
}
"""``module:attribute`` below `dvtool.cli`."""


class GitHook(VerbGroup):
    """Commands from the table."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        command = getattr(import_module(f"dvtool.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, "") for name in COMMANDS])


@click.group("git-hook", cls=GitHook, examples=("dvtool git-hook pre-commit",))
def git_hook() -> None:
    """What Git calls: hooks, the merge driver, text for `git diff`.

    `dvtool install` makes Git call these; nobody types them.
    """

"""``dvtool completion``"""

from __future__ import annotations

import click
from click.shell_completion import BashComplete
from click.shell_completion import FishComplete
from click.shell_completion import ShellComplete
from click.shell_completion import ZshComplete

from dvtool.cli.frame import verb
from dvtool.cli.main import COMPLETE_VARIABLE
from dvtool.cli.session import Session

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@verb(
    "completion",
    examples=(
        "dvtool completion bash > ~/.local/share/bash-completion/completions/dvtool",
        "dvtool completion zsh > ~/.zfunc/_dvtool     # with ~/.zfunc in fpath, before compinit",
        "dvtool completion fish > ~/.config/fish/completions/dvtool.fish",
    ),
)
@click.argument("shell", type=click.Choice(tuple(_SHELLS)))
@click.pass_obj
def completion(session: Session, shell: str) -> None:
    """Print a completion script for a shell.

    It completes verbs, options and the names of remotes. Bash needs version 4.4 or newer.
    """
    complete = _SHELLS[shell](click.Command("dvtool"), {}, "dvtool", COMPLETE_VARIABLE)
    # Not `source()`: that starts bash to ask for its version.
    session.lines([(complete.source_template % complete.source_vars()).rstrip("\n")])

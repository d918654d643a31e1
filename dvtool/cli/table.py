"""Every verb of the command line, with the module that carries it out; modules are imported when asked for."""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """``target`` is ``module:attribute`` below `dvtool.cli.verbs`; ``summary`` is the first line of its help page."""

    target: str
    summary: str


SECTIONS: dict[str, dict[str, Verb]] = {
    "Start": {
        "init": Verb("init:init", "Set up dvtool in a Git repository."),
    },
    "Settings": {},
    "Help": {
        "root": Verb("root:root", "Print the top directory of the dvtool project."),
        "version": Verb("version:version", "Print the versions of dvtool and of what it stands on."),
    },
}

VERBS: dict[str, Verb] = {name: verb for section in SECTIONS.values() for name, verb in section.items()}

ALIASES: dict[str, str] = {"ls": "list"}

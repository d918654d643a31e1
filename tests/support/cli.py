"""The command line in process: what it printed and how it ended."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from io import BytesIO
from io import StringIO
from pathlib import Path
from typing import Any

from dvtool.cli.main import run


@dataclass(frozen=True)
class Ran:
    """One finished command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


@dataclass
class CommandLine:
    """``cli("remote", "list")`` runs that in the directory ``at``."""

    at: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __call__(self, *argv: str, stdin: bytes = b"", environ: Mapping[str, str] | None = None) -> Ran:
        out, err = StringIO(), StringIO()
        world = {**os.environ, **self.environ, **(environ or {})}
        code = run(argv, BytesIO(stdin), out, err, world, os.fsencode(self.at))
        return Ran(code, out.getvalue(), err.getvalue())

    def done(self, *argv: str, stdin: bytes = b"") -> str:
        """The standard output of a command that must end with 0."""
        ran = self(*argv, stdin=stdin)
        assert ran.code == 0, ran
        return ran.out

    def below(self, directory: str) -> CommandLine:
        """The same from another directory, which is made."""
        place = self.at / directory
        place.mkdir(parents=True, exist_ok=True)
        return CommandLine(place, self.environ)


def git_project(place: Path) -> CommandLine:
    """A dvtool project at the top of a new Git repository."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "--quiet"], cwd=place, check=True)
    cli = CommandLine(place)
    cli.done("init", "-q")
    return cli

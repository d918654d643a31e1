"""Clones worked on as their users do: real Git and the installed command, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from tests.e2e.warm import Warm
from tests.support.trees import Tree
from tests.support.trees import assert_tree
from tests.support.trees import create_tree

Arg = str | bytes | Path

warm: Warm | None = None


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The line that says what went wrong; the command said it once, and how to go on."""
        errors = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, self
        assert "Traceback" not in self.err, self
        assert "bug" not in errors[0], self
        return errors[0]

    @property
    def hint(self) -> str:
        """The line that says what to do next."""
        hints = [line for line in self.err.splitlines() if line.startswith("hint: ")]
        assert len(hints) == 1, self
        return hints[0]


@dataclass
class Clone:
    """A worktree; ``environ`` is added to that of every process. ``is_cold``: start the installed command itself."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)
    is_cold: bool = False

    def run(self, *argv: Arg, code: int = 0, stdin: bytes = b"", environ: Mapping[str, str] | None = None) -> Done:
        """``dvtool ARGV`` in the worktree; it must end with *code*."""
        variables = {**self.environ, **(environ or {})}
        if warm is None or self.is_cold or stdin:
            done = run_in(self.root, ["dvtool", *argv], stdin, variables)
        else:
            ended, out, err = warm.run(self.root, [*map(os.fsdecode, argv)], {**os.environ, **variables})
            done = Done(ended, out.decode(errors="replace"), err.decode(errors="replace"))
        assert done.code == code, (argv, done)
        assert "Traceback" not in done.err, (argv, done)
        return done

    def git(self, *argv: Arg) -> str:
        done = run_in(self.root, ["git", *argv], b"", self.environ)
        assert done.code == 0, (argv, done)
        return done.out

    def commit(self, message: str = "more") -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def create(self, tree: Tree) -> None:
        create_tree(self.root, tree)

    def assert_data(self, expected: Tree, path: str = "data") -> None:
        assert_tree(self.root / path, expected)

    def assert_clean(self) -> None:
        """Neither Git nor dvtool sees a difference."""
        assert self.git("status", "--porcelain") == ""
        self.run("status", "--exit-code")

    def clone(self, place: Path) -> Clone:
        """A fresh `git clone` of this one, without data."""
        run = run_in(self.root, ["git", "clone", "-q", self.root, place], b"", {})
        assert run.code == 0, run
        return Clone(place, dict(self.environ), self.is_cold)

    @property
    def cache(self) -> Path:
        return self.root / ".git/dvtool/cache"


def run_in(directory: Path, argv: list[Arg], stdin: bytes, environ: Mapping[str, str]) -> Done:
    done = subprocess.run(
        argv, cwd=directory, input=stdin, capture_output=True, check=False, env={**os.environ, **environ}
    )
    return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def new_clone(place: Path, environ: Mapping[str, str] | None = None, *, is_cold: bool = False) -> Clone:
    """A new Git repository with a dvtool project in it."""
    place.mkdir(parents=True)
    clone = Clone(place, dict(environ or {}), is_cold)
    clone.git("init", "-q")
    clone.run("init", "-q")
    return clone

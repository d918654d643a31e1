"""Repositories in which `dvtool install` was run, worked on with real git alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.cli import CommandLine
from tests.support.cli import Ran
from tests.support.trees import Node
from tests.support.trees import create_tree

BIN = Path(sys.executable).parent


class HookRepo:
    """A clone at ``at``; ``up.git`` is its origin, ``store`` its remote, both beside it."""

    def __init__(self, at: Path) -> None:
        self.at = at
        self.cli = CommandLine(at)

    @property
    def store(self) -> Path:
        return self.at.parent / "store"

    def run(self, *args: str, environ: dict[str, str] | None = None) -> Ran:
        """Git as it ended, with the dvtool of these tests on its PATH."""
        path = os.pathsep.join([str(BIN), os.environ["PATH"]])
        env = {**os.environ, "PATH": path, "GIT_EDITOR": "true", "PYTHONWARNINGS": "", **(environ or {})}
        done = subprocess.run(["git", *args], cwd=self.at, env=env, capture_output=True, check=False)
        out, err = (text.decode("utf-8", "backslashreplace") for text in (done.stdout, done.stderr))
        return Ran(done.returncode, out.strip(), err)

    def git(self, *args: str) -> str:
        ran = self.run(*args)
        assert ran.code == 0, (args, ran)
        return ran.out

    def write(self, tree: dict[str, Node]) -> None:
        create_tree(self.at, tree)

    def save(self, message: str, tree: dict[str, Node] | None = None, *tracked: str) -> str:
        """A commit of *tree*, of which *tracked* is data. Past the hooks: they are what the stories are about."""
        self.write(tree or {})
        if tracked:
            self.cli.done("add", "-q", *tracked)
        self.git("add", "-A")
        self.git("commit", "-q", "--no-verify", "-m", message)
        return self.git("rev-parse", "HEAD")

    def read(self, path: str) -> str | None:
        place = self.at / path
        return place.read_text() if place.exists() else None

    def is_clean(self) -> bool:
        return self.cli("status", "--exit-code", "-q").code == 0

    def clone(self, name: str) -> HookRepo:
        """Another clone of the same origin, without hooks and without data."""
        other = self.at.parent / name
        subprocess.run(["git", "clone", "-q", str(self.at.parent / "up.git"), str(other)], check=True)
        return HookRepo(other)


def make(place: Path) -> HookRepo:
    """Two branches, ``main`` with version 1 of a directory and a file, ``other`` with version 2; all pushed."""
    place.mkdir()
    (place / "store").mkdir()
    subprocess.run(["git", "init", "-q", "--bare", str(place / "up.git")], check=True)
    repo = HookRepo(place / "repo")
    subprocess.run(["git", "init", "-q", str(repo.at)], check=True)
    repo.git("remote", "add", "origin", "../up.git")
    repo.cli.done("init", "-q")
    repo.cli.done("remote", "add", "-q", "-d", "store", "../store")
    repo.save("one", {"d": {"a": "a1\n", "b": "b1\n"}, "m.bin": "m1\n", "code.py": "1\n"}, "d", "m.bin")
    repo.git("switch", "-q", "-c", "other")
    (repo.at / "d/b").unlink()
    repo.save("two", {"d": {"a": "a2\n", "c": "c2\n"}}, "d")
    repo.cli.done("push", "-q", "--all-branches")
    repo.git("switch", "-q", "main")
    repo.cli.done("checkout", "-q")
    repo.git("push", "-q", "origin", "main", "other")
    repo.git("branch", "-q", "-u", "origin/main")
    repo.cli.done("install", "-q")
    return repo


def copy_of(repo: HookRepo, place: Path) -> HookRepo:
    """All of it again: the clone, its origin and its store lie relative to each other."""
    shutil.copytree(repo.at.parent, place, symlinks=True, dirs_exist_ok=True)
    return HookRepo(place / repo.at.name)

"""A Git repository with versions of data in it, worked on through the command line."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Node
from tests.support.trees import create_tree

V1: dict[str, Node] = {
    "a.txt": "one\n",
    "empty": {},
    "img": {"1.png": "p1", "2.png": "p2", "deep": {"3.png": "p3"}},
    "lnk": Link("img"),
    "run": "#!/bin/sh\n",
}


class DataRepo:
    """A project in a Git repository, and the verbs that make versions of its data."""

    def __init__(self, place: Path, cli: CommandLine | None = None) -> None:
        self.at = place
        self.cli = cli or git_project(place)

    def git(self, *args: str) -> str:
        return subprocess.run(["git", *args], cwd=self.at, check=True, capture_output=True, text=True).stdout.strip()

    def write(self, tree: Mapping[str, Node]) -> None:
        create_tree(self.at, tree)

    def add(self, *targets: str) -> None:
        self.cli.done("add", "-q", *targets)

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def lose_cache(self) -> None:
        shutil.rmtree(self.at / ".git/dvtool/cache")

    def json(self, verb: str, *argv: str) -> Any:
        return self.cli(verb, "--json", *argv).document


def edit(repo: DataRepo) -> None:
    """What makes v2 out of v1: one of everything."""
    data = repo.at / "data"
    os.rename(data / "img", data / "pictures")
    os.rename(data / "pictures/1.png", data / "one.png")
    (data / "a.txt").write_text("one\ntwo\n")
    (data / "run").unlink()
    repo.write({"data": {"run": Executable("#!/bin/sh\n"), "new": "n"}})
    (data / "lnk").unlink()


def pushed_clone(repo: DataRepo, tmp_path: Path) -> DataRepo:
    """A clone that has pointers, a remote that has everything, and an empty cache."""
    (tmp_path / "store").mkdir()
    repo.cli.done("remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    repo.commit("remote")
    repo.cli.done("push", "-q", "--all-tags")
    subprocess.run(["git", "clone", "-q", str(repo.at), str(tmp_path / "clone")], check=True)
    return DataRepo(tmp_path / "clone", CommandLine(tmp_path / "clone"))

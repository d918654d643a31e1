"""A repository with two branches that are merged by real git, with the merge driver in it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path

from tests.support.cli import Ran
from tests.support.hookrepo import HookRepo
from tests.support.trees import Tree
from tests.support.trees import create_tree


class MergeRepo(HookRepo):
    """``main`` is ours, ``theirs`` what is merged in."""

    def data(self, trees: Mapping[str, Tree | None]) -> None:
        """Tracked directories hold exactly these from now on; None is not there."""
        there = {path: tree for path, tree in trees.items() if tree is not None}
        for path, tree in there.items():
            shutil.rmtree(self.at / path, ignore_errors=True)
            create_tree(self.at / path, tree)
        self.cli.done("add", "-q", *there)

    def copy(self, place: Path) -> MergeRepo:
        """All of it again, elsewhere."""
        shutil.copytree(self.at, place, symlinks=True)
        return MergeRepo(place)

    def commit(self, message: str) -> str:
        """Everything as it stands."""
        self.git("add", "-A")
        self.git("-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def switch(self, branch: str, *, new: bool = False) -> None:
        """To a branch, with its data; past the hooks."""
        self.git("-c", "core.hooksPath=/dev/null", "switch", "-q", *(["-c"] if new else []), branch)
        if not new:
            self.cli.done("checkout", "-q")

    def conflicts(self) -> dict[str, str]:
        """Paths or stages that are not decided, with what happened to each."""
        ran = self.cli("resolve", "--dry-run", "--json")
        assert "left" in ran.document, ran
        return {one["path"] or one["stage"] or one["source"]: one["what"] for one in ran.document["left"]}

    def unmerged(self) -> list[str]:
        """What Git's index has in conflict."""
        return sorted({line.partition("\t")[2] for line in self.git("ls-files", "-u").splitlines()})

    def merge(self, rev: str = "theirs", *options: str) -> Ran:
        return self.run("merge", "-q", "-m", "merged", *options, rev)


def new_repo(place: Path, *, install: bool = True) -> MergeRepo:
    """An empty project; *install*: with hooks and the merge driver."""
    subprocess.run(["git", "init", "-q", str(place)], check=True)
    repo = MergeRepo(place)
    repo.cli.done("init", "-q")
    if install:
        repo.cli.done("install", "-q")
    return repo


def diverged(place: Path, stories: Mapping[str, Sequence[Tree | None]], *, install: bool = True) -> MergeRepo:
    """Tracked directories by name, each as it was, as ours made it, as theirs did; on ``main``.

    As it was None: each side tracks it first.
    """
    repo = new_repo(place, install=install)
    for number, message in enumerate(("base", "theirs", "ours")):
        if message == "theirs":
            repo.switch("theirs", new=True)
        elif message == "ours":
            repo.switch("main")
        repo.data({name: sides[(0, 2, 1)[number]] for name, sides in stories.items()})
        repo.commit(message)
    return repo

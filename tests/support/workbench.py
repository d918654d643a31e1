"""A Git repository with a dvtool project in it, and hands to work there through the Python API."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dvtool.api.add import AddRequest
from dvtool.api.add import AddResult
from dvtool.api.add import add
from dvtool.api.checkout import CheckoutRequest
from dvtool.api.checkout import CheckoutResult
from dvtool.api.checkout import checkout
from dvtool.api.status import StatusRequest
from dvtool.api.status import StatusResult
from dvtool.api.status import status
from dvtool.project.environment import Environment
from dvtool.project.init import init_project
from dvtool.project.open import Project
from dvtool.project.open import open_project
from dvtool.project.parts import open_cache
from dvtool.store.cache import Cache
from tests.support.trees import Tree
from tests.support.trees import create_tree

NOW = 1_800_000_000.0


class Workbench:
    """``settings`` are as from flags: they hold for every project that is opened from now on."""

    def __init__(self, root: Path, settings: Mapping[str, str] | None = None) -> None:
        self.root = root
        self.settings = dict(settings or {})
        root.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q")
        init_project(b".", self.environment)
        self.git("commit", "-q", "-m", "start")

    @property
    def environment(self) -> Environment:
        return Environment(dict(os.environ), os.fsencode(os.environ["HOME"]), os.fsencode(self.root))

    @property
    def project(self) -> Project:
        return open_project(b".", self.environment, self.settings)

    @property
    def cache(self) -> Cache:
        return open_cache(self.project)

    def git(self, *args: str) -> str:
        done = subprocess.run(["git", *args], cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def commit(self, message: str = "more") -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def create(self, tree: Tree) -> None:
        create_tree(self.root, tree)

    def add(self, *targets: str) -> AddResult:
        return add(self.project, AddRequest(tuple(map(os.fsencode, targets))))

    def track(self, tree: Tree) -> None:
        """Create files and directories, add each, commit."""
        self.create(tree)
        self.add(*map(os.fsdecode, tree))
        self.commit()

    def status(self, *targets: str) -> StatusResult:
        return status(self.project, StatusRequest(tuple(map(os.fsencode, targets))))

    def changes(self) -> set[tuple[str, str]]:
        """What differs in the worktree from the pointers, as pairs of word and path."""
        result = self.status()
        return {(item.change, os.fsdecode(item.path)) for item in (*result.workspace, *result.missing)}

    def checkout(self, *targets: str, force: bool = False, relink: bool = False) -> CheckoutResult:
        request = CheckoutRequest(tuple(map(os.fsencode, targets)), force=force, relink=relink, now=NOW)
        return checkout(self.project, request)

    def settle(self) -> None:
        """Make the memo sure of every file: what was written a moment ago is hashed once more."""
        while self.status().files_hashed:
            pass

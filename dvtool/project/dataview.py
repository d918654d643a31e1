"""One state of a project to read from: the worktree, or a commit."""

from __future__ import annotations

import time

from dvtool.errors import UsageError
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.filecontent import Contents
from dvtool.project.filetree import FileTree
from dvtool.project.history import tracked_at
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_tracked
from dvtool.project.plainfiles import DiskFiles
from dvtool.project.plainfiles import GitFiles

_STANDS_SECONDS = 1.0
"""So long nobody looks whether a pointer, or what a branch stands for, has changed."""


class DataView:
    """*rev* None is the worktree. *names*: remotes that stand for the default one. *blobs_here*: Git has all blobs.

    Follows what happens meanwhile: another `checkout`, a branch that goes on.
    """

    def __init__(
        self,
        project: Project,
        rev: str | None,
        names: tuple[str, ...] = (),
        reporter: Reporter = SILENT,
        *,
        blobs_here: bool = True,
    ) -> None:
        for name in names:
            project.config.remote(name)
        self.project = project
        self._rev = rev
        self._reporter = reporter
        self._blobs_here = blobs_here
        self._cache = open_cache(project)
        self.contents = Contents(project, self._cache, names, reporter)
        self._tree: FileTree | None = None
        self._commit: str | None = None
        self._looked = 0.0
        _ = self.tree

    @property
    def commit(self) -> str | None:
        """The commit that is read; None for the worktree."""
        return self._commit

    @property
    def tree(self) -> FileTree:
        """What there is now. Raises `UsageError` for an unknown revision, and as `open_tracked`."""
        now = time.monotonic()
        if self._tree is None or now - self._looked > _STANDS_SECONDS:
            commit = None if self._rev is None else self._resolve(self._rev)
            if self._tree is None or commit is None or commit != self._commit:
                self._tree = self._opened(commit)
                self._commit = commit
            self._looked = now
        return self._tree

    def forget(self) -> None:
        """Look again at the next use."""
        self._tree = None
        self._cache.forget()

    def close(self) -> None:
        """Ends the connections."""
        self.contents.close()

    def _opened(self, commit: str | None) -> FileTree:
        project = self.project
        if commit is None:
            return FileTree(project, self._cache, DiskFiles(project.root), open_tracked(project), self._reporter)
        plain = GitFiles(project, commit, sizes=self._blobs_here)
        return FileTree(project, self._cache, plain, tracked_at(project, commit), self._reporter)

    def _resolve(self, rev: str) -> str:
        from dvtool.git.revisions import resolve

        if rev == self._commit:
            return rev
        if self.project.git is None:
            raise UsageError("this project works without Git, so there are no other revisions")
        return resolve(self.project.git, rev)

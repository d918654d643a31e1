"""All workspaces of one repository: their state directories, and keeping other commands out of every one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import contextmanager

from dvtool.disk.durable import make_dirs
from dvtool.disk.lock import FileLock
from dvtool.errors import storage_error
from dvtool.project.open import Project


def state_dirs(project: Project) -> list[bytes]:
    """The state directory of this workspace, and those that exist of linked worktrees and other projects, by path."""
    found = {project.layout.state_dir}
    if project.git is not None:
        from dvtool.git.worktrees import worktrees

        for tree in worktrees(project.git).open:
            base = os.path.join(tree.git_dir, b"dvtool")
            inner = os.path.join(base, b"at")
            try:
                names = os.listdir(inner)
            except FileNotFoundError:
                names = []
            except OSError as error:
                raise storage_error(error, "list", inner) from error
            found.update(path for path in (base, *(os.path.join(inner, name) for name in names)) if os.path.isdir(path))
    return sorted(found)


@contextmanager
def all_workspaces_locked(project: Project, what: str, *, but_this: bool = False) -> Iterator[None]:
    """Meanwhile no command changes a pointer of this repository. Raises `Locked`, `StorageError`.

    *but_this*: the caller has the lock of this workspace already.
    """
    waiting = project.environment.waiting
    with ExitStack() as stack:
        try:
            own = {project.layout.state_dir} if but_this else set()
            for folder in sorted(set(state_dirs(project)) - own):
                make_dirs(folder)
                lock = FileLock(os.path.join(folder, b"lock"))
                stack.enter_context(
                    lock.acquire(shared=False, timeout=waiting.timeout, on_wait=waiting.on_wait, what=what)
                )
        except OSError as error:
            raise storage_error(error, "lock the workspace with", error.filename or project.root) from error
        yield

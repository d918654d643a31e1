"""Whether a path may become one that is tracked."""

from __future__ import annotations

from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.model.paths import POINTER_SUFFIX
from dvtool.model.paths import check_name
from dvtool.model.paths import check_path
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.project.open import Project
from dvtool.project.outputs import refused
from dvtool.project.ownership import refuse_outputs
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.worktree import Worktree


def check_new_path(project: Project, worktree: Worktree, tracked: TrackedPaths, path: bytes, *, is_dir: bool) -> None:
    """Raise `UsageError` or `UnsafeInput` unless something that is to be made at *path* may be tracked there."""
    if not path:
        raise UsageError("the project's top directory cannot be tracked as a whole")
    if worktree.ignore.is_ignored(path, is_dir):
        raise UsageError(
            f"{show(path)} is ignored by .dvtoolignore", path=path, hint=f"dvtool check-ignore -d {show(path)}"
        )
    owner = tracked.owner(path)
    if owner is not None and owner.stage:
        raise refused(owner, path, "take another name, or change the stage in dvtool.yaml")
    if owner is not None:
        for name in path.split(b"/"):
            check_name(name, show(path))
        return
    check_path(path, show(path))
    if path.endswith(POINTER_SUFFIX):
        raise UsageError(f"{show(path)} is the name of a pointer, not of data", path=path)
    if len(split(path)[1]) > 255 - len(POINTER_SUFFIX):
        raise UsageError(f"{show(path)}: the name is too long for a pointer beside it", path=path)
    refuse_outputs(project, [path])
    if project.git is not None:
        from dvtool.git.worktree import tracked as tracked_by_git

        if tracked_by_git(project.git, [project.layout.to_git(path)]):
            raise UnsafeInput(
                f"{show(path)} is tracked by Git already",
                path=path,
                hint=f"take it out of Git first: git rm -r --cached {show(path)}",
            )

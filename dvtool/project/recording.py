"""Writing pointers and telling Git: ignore lines first, then pointers, then the index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from typing import NamedTuple

from dvtool.project.open import Project
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import write_pointer


class Recorded(NamedTuple):
    """``changed``: pointers that were written. ``git_files``: everything that belongs into the next commit.

    ``visible``: data paths that a rule of the user's own keeps visible to Git.
    """

    changed: frozenset[bytes]
    git_files: tuple[bytes, ...]
    visible: tuple[bytes, ...]


def record_pointers(project: Project, items: Sequence[Tracked], *, durable: bool) -> Recorded:
    """Make Git ignore the data, write the pointers, stage both where ``core.autostage`` is set.

    In this order: data beside a pointer that Git does not ignore would be committed whole by
    the next ``git add``.
    """
    ignore_files: list[bytes] = []
    visible: tuple[bytes, ...] = ()
    layout = project.layout
    if project.git is not None:
        from dvtool.git.ignore import ensure_ignored

        where: Literal["gitignore", "exclude"] = (
            "exclude" if project.config.text("core.ignore") == "exclude" else "gitignore"
        )
        result = ensure_ignored(project.git, [layout.to_git(item.path) for item in items], where=where)
        ignore_files = [layout.from_git(path) for path in result.changed if path.startswith(layout.prefix)]
        visible = tuple(layout.from_git(path) for path in result.visible)
    changed = frozenset(
        item.pointer_path
        for item in items
        if write_pointer(project.root, item.pointer_path, item.pointer, durable=durable)
    )
    git_files = tuple(sorted({*changed, *(path for path in ignore_files if not path.startswith(b"/"))}))
    if project.git is not None and git_files and project.config.flag("core.autostage"):
        from dvtool.git.worktree import stage

        stage(project.git, [layout.to_git(path) for path in git_files])
    return Recorded(changed, git_files, visible)

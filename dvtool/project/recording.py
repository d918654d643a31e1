"""Writing pointers and telling the operation log and Git: ignore lines first, then pointers, then the index."""

from __future__ import annotations

import os
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Literal
from typing import NamedTuple

from dvtool.disk.beneath import open_dir
from dvtool.disk.beneath import open_root
from dvtool.disk.durable import fsync_dir
from dvtool.errors import storage_error
from dvtool.model.paths import split
from dvtool.project.open import Project
from dvtool.project.oplog import current
from dvtool.project.oplog import file_changes
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import pointer_bytes
from dvtool.workspace.pointers import remove_pointer
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
    _refuse_outputs(items)
    make_parents(project, items)
    wanted = {os.path.join(project.root, item.pointer_path): pointer_bytes(item.pointer) for item in items}
    ignore_files, visible = ignore_data(project, [item.path for item in items], wanted)
    changed = frozenset(
        item.pointer_path
        for item in items
        if write_pointer(project.root, item.pointer_path, item.pointer, durable=durable)
    )
    if project.git is None:
        return Recorded(changed, (), ())
    git_files = tuple(sorted({*changed, *(path for path in ignore_files if not path.startswith(b"/"))}))
    if git_files and project.config.flag("core.autostage"):
        from dvtool.git.worktree import stage

        stage(project.git, [project.layout.to_git(path) for path in git_files])
    return Recorded(changed, git_files, visible)


def make_parents(project: Project, items: Sequence[Tracked]) -> None:
    """Make the directories that the pointers are to stand in; never through a link. Raises `StorageError`."""
    for parent in sorted({split(item.pointer_path)[0] for item in items}):
        if os.path.isdir(os.path.join(project.root, parent)):
            continue
        try:
            root = open_root(project.root)
            try:
                os.close(open_dir(root, parent, create=True))
            finally:
                os.close(root)
            above = parent
            while above:
                above = split(above)[0]
                fsync_dir(os.path.join(project.root, above))
        except OSError as error:
            raise storage_error(error, "create the directory", parent) from error


class Ignored(NamedTuple):
    """Ignore files that were written (the exclude file absolute), and paths that stay visible to Git all the same."""

    files: tuple[bytes, ...]
    visible: tuple[bytes, ...]


def ignore_data(project: Project, paths: Sequence[bytes], writing: Mapping[bytes, bytes | None]) -> Ignored:
    """Make Git ignore data. *writing*: absolute paths of files that are written right after, and their bytes.

    The operation log hears of all of it before anything changes.
    """
    if project.git is None:
        _note(project, writing, {})
        return Ignored((), ())
    from dvtool.git.ignore import ensure_ignored

    layout = project.layout
    where: Literal["gitignore", "exclude"] = (
        "exclude" if project.config.text("core.ignore") == "exclude" else "gitignore"
    )
    result = ensure_ignored(
        project.git,
        [layout.to_git(path) for path in paths],
        where=where,
        about_to=lambda edits: _note(project, writing, edits),
    )
    # The exclude file's path is absolute, so it does not begin with the prefix of a subdirectory.
    files = tuple(layout.from_git(path) for path in result.changed if path.startswith(layout.prefix))
    return Ignored(files, tuple(layout.from_git(path) for path in result.visible))


def unignore_data(project: Project, paths: Sequence[bytes], writing: Mapping[bytes, bytes | None]) -> tuple[bytes, ...]:
    """Take the ignore lines of data away; the ``.gitignore`` files that still stand and were changed.

    *writing* as in `ignore_data`.
    """
    if project.git is None:
        _note(project, writing, {})
        return ()
    from dvtool.git.ignore import remove_ignored

    layout = project.layout
    result = remove_ignored(
        project.git, [layout.to_git(path) for path in paths], about_to=lambda edits: _note(project, writing, edits)
    )
    files = [layout.from_git(path) for path in result.changed if path.startswith(layout.prefix)]
    return tuple(
        path for path in files if not path.startswith(b"/") and os.path.exists(os.path.join(project.root, path))
    )


def unrecord_pointers(project: Project, items: Sequence[Tracked], *, durable: bool) -> tuple[bytes, ...]:
    """Take away the ignore lines of the data, then the pointers; stage both where ``core.autostage`` is set.

    In this order a command that was killed can be run again: it finds its pointers. Returns what
    belongs into the next commit. A pointer that is gone already is no error.
    """
    _refuse_outputs(items)
    layout = project.layout
    ignore_files: list[bytes] = []
    git_files: list[bytes] = []
    gone = {os.path.join(project.root, item.pointer_path): None for item in items}
    if project.git is None:
        _note(project, gone, {})
    else:
        from dvtool.git.ignore import remove_ignored
        from dvtool.git.worktree import tracked as tracked_by_git

        result = remove_ignored(
            project.git,
            [layout.to_git(item.path) for item in items],
            about_to=lambda edits: _note(project, gone, edits),
        )
        ignore_files = [layout.from_git(path) for path in result.changed if path.startswith(layout.prefix)]
        candidates = [*(item.pointer_path for item in items), *ignore_files]
        in_git = tracked_by_git(project.git, [layout.to_git(path) for path in candidates])
        git_files = [
            path
            for path in candidates
            if layout.to_git(path) in in_git or (path in ignore_files and os.path.exists(project.root + b"/" + path))
        ]
    for item in items:
        remove_pointer(project.root, item.pointer_path, durable=durable)
    if project.git is not None and git_files and project.config.flag("core.autostage"):
        from dvtool.git.worktree import stage

        stage(project.git, [layout.to_git(path) for path in git_files])
    return tuple(sorted(set(git_files)))


def _refuse_outputs(items: Sequence[Tracked]) -> None:
    for item in items:
        if item.stage:
            raise ValueError(f"{item.path!r} has no pointer: {item.source} names it")


def _note(project: Project, files: Mapping[bytes, bytes | None], ignore_files: Mapping[bytes, bytes | None]) -> None:
    """Let the operation log know before anything is written. Ignore files are named as git names them."""
    operation = current()
    if operation is None:
        return
    wanted = {**files}
    top = project.git.worktree if project.git is not None else project.root
    wanted |= {os.path.join(top, path): data for path, data in ignore_files.items()}
    changes = file_changes(project.layout, wanted)
    operation.prepare(is_staged=project.config.flag("core.autostage"))
    operation.record(files=changes)

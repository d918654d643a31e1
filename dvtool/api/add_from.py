"""Copying something from elsewhere into the project and tracking it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from dvtool.api.add import AddRequest
from dvtool.api.add import AddResult
from dvtool.api.add import add
from dvtool.disk.beneath import open_dir
from dvtool.disk.beneath import open_root
from dvtool.disk.space import require_space
from dvtool.disk.space import same_file_system
from dvtool.disk.space import supports_reflink
from dvtool.errors import MissingData
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.newpath import check_new_path
from dvtool.project.open import Project
from dvtool.project.parts import is_durable
from dvtool.project.parts import open_tracked
from dvtool.project.parts import open_worktree
from dvtool.project.parts import relative_path
from dvtool.workspace.copying import copy_entry
from dvtool.workspace.copying import is_copy
from dvtool.workspace.worktree import Worktree


@dataclass(frozen=True, slots=True)
class AddFromRequest:
    """``source``: a file or directory anywhere on the disk. ``output``: the path in the project that it gets.

    ``remote`` as in `AddRequest`.
    """

    source: bytes
    output: bytes
    remote: str | None = None


def add_from(project: Project, request: AddFromRequest, reporter: Reporter = SILENT) -> AddResult:
    """Copy *source* to *output*, which must not exist, prove the copy and `add` it.

    Where *output* is that copy already, byte for byte, it is only added: so a killed command goes on.

    Blocks are shared where the file system can. A link at *source* is followed, links inside a
    directory are copied as links. Raises as `add`.
    """
    source = os.path.realpath(os.path.join(project.environment.cwd, request.source))
    path = relative_path(project, request.output)
    with open_worktree(project) as worktree:
        worktree.lock("dvtool add")
        is_dir = _is_directory(source, request.source)
        try:
            if not _is_copied(worktree, source, path):
                _check(project, worktree, source, path, is_dir=is_dir)
                _copy(project, worktree, source, path, reporter)
        except FileExistsError as error:
            raise _taken(path) from error
        except OSError as error:
            raise storage_error(error, "copy", error.filename or source) from error
    full = os.path.join(project.root, path)
    return add(project, AddRequest((full,), remote=request.remote), reporter)


def _is_copied(worktree: Worktree, source: bytes, path: bytes) -> bool:
    """Whether an earlier run was killed between the copy and the end: then what is left is to add it."""
    if worktree.stat(path) is None:
        return False
    parent, name = split(path)
    source_dir = open_root(os.path.dirname(source))
    try:
        target_dir = open_dir(worktree.root_fd, parent)
        try:
            return is_copy(source_dir, os.path.basename(source), target_dir, name, shown=source)
        finally:
            os.close(target_dir)
    finally:
        os.close(source_dir)


def _is_directory(source: bytes, shown: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.stat(source).st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingData(f"{show(shown)} does not exist", path=shown, hint="check the spelling") from error
    except OSError as error:
        raise storage_error(error, "read", source) from error


def _check(project: Project, worktree: Worktree, source: bytes, path: bytes, *, is_dir: bool) -> None:
    tracked = open_tracked(project)
    full = os.path.join(os.path.realpath(project.root), path)
    if is_below(full, source):
        raise UsageError(f"{show(source)} cannot be copied into itself", path=source)
    item = tracked.get(path)
    if item is not None or worktree.stat(path) is not None:
        raise _taken(path)
    check_new_path(project, worktree, tracked, path, is_dir=is_dir)


def _taken(path: bytes) -> UsageError:
    return UsageError(
        f"{show(path)} is there already, and nothing is replaced",
        path=path,
        hint=f"take another name; to track what is there: dvtool add {show(path)}",
    )


def _copy(project: Project, worktree: Worktree, source: bytes, path: bytes, reporter: Reporter) -> None:
    if not (same_file_system(source, project.root) and supports_reflink(project.root)):
        require_space(project.root, _bytes_below(source), f"copy {show(source)}")
    parent, name = split(path)
    source_dir = open_root(os.path.dirname(source))
    try:
        target_dir = open_dir(worktree.root_fd, parent, create=True)
        try:
            reporter.begin(f"copying {show(source)}")
            copy_entry(
                source_dir, os.path.basename(source), target_dir, name, shown=source, durable=is_durable(project)
            )
            reporter.end()
        finally:
            os.close(target_dir)
    finally:
        os.close(source_dir)


def _bytes_below(source: bytes) -> int:
    if not os.path.isdir(source):
        return os.stat(source).st_size
    return sum(
        os.lstat(os.path.join(directory, name)).st_size for directory, _, names in os.walk(source) for name in names
    )

"""Git's merge driver: one pointer or lock that both sides of a merge changed."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dvtool.disk.durable import discard_parts
from dvtool.disk.durable import write_file
from dvtool.errors import DvtoolError
from dvtool.errors import NotInRepository
from dvtool.errors import storage_error
from dvtool.formats.lock import MAX_BYTES
from dvtool.git.discover import find_git
from dvtool.git.ignoremerge import is_ignore_file
from dvtool.git.ignoremerge import merge_lines
from dvtool.git.ignoremerge import merge_patterns
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.environment import Environment
from dvtool.project.merging import Conflict
from dvtool.project.merging import Merging
from dvtool.project.merging import Sides
from dvtool.project.open import Project
from dvtool.project.open import open_project

_KIND = b"merge-"


@dataclass(frozen=True, slots=True)
class MergeDriverRequest:
    """Files with the three versions, relative to the current directory, and ``path``, the file's own place relative to
    the top of the work tree. The result goes to ``ours``."""

    base: bytes
    ours: bytes
    theirs: bytes
    path: bytes


@dataclass(frozen=True, slots=True)
class MergeDriverResult:
    """``conflicts``: what both sides changed; ours stand there. ``problem``: why nothing was merged; all of ours stays.

    Paths are relative to ``root``, which is absolute. ``is_left_to_git``: an ignore file has Git's conflict markers.
    """

    root: bytes
    conflicts: tuple[Conflict, ...] = ()
    problem: DvtoolError | None = None
    is_left_to_git: bool = False

    @property
    def is_clean(self) -> bool:
        return not (self.conflicts or self.problem or self.is_left_to_git)


def merge_driver(
    environment: Environment, request: MergeDriverRequest, reporter: Reporter = SILENT
) -> MergeDriverResult:
    """Merge, fetching the listings that are needed. The file holds a valid version in any case.

    Raises `StorageError` where the result cannot be written.
    """
    root = b""
    if is_ignore_file(request.path):
        return _merge_ignore_file(environment, request)
    try:
        project = _project_around(environment, request.path)
        root = project.root
        path = os.path.relpath(os.path.join(os.path.realpath(environment.cwd), request.path), os.path.realpath(root))
        files = (request.base, request.ours, request.theirs)
        base, ours, theirs = (_read(os.path.join(environment.cwd, each)) for each in files)
        with Merging(project, reporter) as merging:
            # What both sides added has no base: Git passes an empty file.
            merged = merging.merge(path, Sides(base or None, ours, theirs))
    except DvtoolError as error:
        return MergeDriverResult(root, (), error)
    assert merged.text is not None
    _write(environment, request, merged.text)
    return MergeDriverResult(root, merged.conflicts)


def _merge_ignore_file(environment: Environment, request: MergeDriverRequest) -> MergeDriverResult:
    """As Git does, in whichever project; only what Git cannot do alone is done here."""
    base, ours, theirs = (os.path.join(environment.cwd, each) for each in (request.base, request.ours, request.theirs))
    git = find_git(environment.cwd, environment.environ)
    if git is None:
        raise NotInRepository("this is not in a Git repository", hint="Git calls this itself: `dvtool install`")
    by_git = merge_lines(git, ours, base, theirs)
    together = merge_patterns(*map(_read, (base, ours, theirs))) if by_git.conflicts else None
    _write(environment, request, by_git.text if together is None else together)
    return MergeDriverResult(git.worktree, is_left_to_git=by_git.conflicts and together is None)


def _write(environment: Environment, request: MergeDriverRequest, text: bytes) -> None:
    path = os.path.join(environment.cwd, request.ours)
    try:
        # Git calls one driver at a time in a work tree.
        discard_parts(os.path.dirname(path), _KIND)
        write_file(path, text, durable=False, kind=_KIND)
    except OSError as error:
        raise storage_error(error, "write", request.ours) from error


def _project_around(environment: Environment, path: bytes) -> Project:
    """The project that the file belongs to; its directory may be one that the merge is about to make."""
    directory = os.path.dirname(os.path.join(environment.cwd, path))
    while not os.path.isdir(directory):
        directory = os.path.dirname(directory)
    try:
        return open_project(directory, environment)
    except NotInRepository as error:
        error.hint = "this commit has no .dvtool/config: merge the branch that brings it in first"
        raise


def _read(path: bytes) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise storage_error(error, "read", path) from error

"""Making a project."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dvtool.disk.durable import discard_parts
from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_file
from dvtool.errors import DvtoolError
from dvtool.errors import NotInRepository
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.config import VERSION
from dvtool.formats.config import parse_config
from dvtool.formats.config import parse_key
from dvtool.formats.settings import parse_value
from dvtool.git.discover import find_git
from dvtool.git.run import GitRepo
from dvtool.git.worktree import stage
from dvtool.project.config import read_config_file
from dvtool.project.environment import Environment
from dvtool.project.layout import plan_layout
from dvtool.project.locate import MARKER
from dvtool.project.oplog import begin_at
from dvtool.project.oplog import file_changes

IGNORE_FILE = b".dvtoolignore"

_CONFIG = """\
# Settings that everyone who clones this repository shares. Secrets are refused here:
# `dvtool config --local` keeps them where Git cannot commit them.
[dvtool]
    version = {version}
[core]
    repo_id = {repo_id}
"""
_IGNORE = b"""\
# Files in tracked directories that dvtool leaves alone, in the syntax of .gitignore. For example:
# *.tmp
# __pycache__/
"""
# Without Git's directory, what must not be committed lies in .dvtool; somebody may run `git init` later.
_OWN_GITIGNORE = b"/cache\n/config.local\n/state\n"


@dataclass(frozen=True, slots=True)
class InitResult:
    """The root, the files written (relative to it), and whether they were staged in Git."""

    root: bytes
    created: tuple[bytes, ...]
    staged: bool
    repo_id: str


def init_project(
    directory: bytes, environment: Environment, *, no_scm: bool = False, subdir: bool = False, force: bool = False
) -> InitResult:
    """Make *directory* the root of a project and stage its files in Git.

    *force* writes the committed config anew, keeping the repository id; the cache, the local
    config and an existing ``.dvtoolignore`` are never touched. Raises `NotInRepository` outside
    of Git without *no_scm*, `UsageError` where there is a project already, or below the top of
    the work tree without *subdir*; then nothing was changed.
    """
    root = os.path.realpath(os.path.join(environment.cwd, directory))
    if not os.path.isdir(root):
        raise UsageError(f"{os.fsdecode(directory)} is not a directory", path=directory)
    git = None if no_scm else _git_for(root, environment, subdir=subdir)
    layout = plan_layout(root, git, environment)
    _refuse_existing(root, force=force)
    repo_id = _old_id(layout.project_config) or os.urandom(16).hex()
    text = _CONFIG.format(version=VERSION, repo_id=repo_id)
    files = {MARKER + b"/config": (text + ("    no_scm = true\n" if no_scm else "")).encode("ascii")}
    if git is None:
        files[MARKER + b"/.gitignore"] = _OWN_GITIGNORE
    if not os.path.lexists(os.path.join(root, IGNORE_FILE)):
        files[IGNORE_FILE] = _IGNORE
    with begin_at(layout, environment, "init") as operation:
        operation.prepare(summary=os.fsdecode(root), is_staged=git is not None)
        operation.record(files=file_changes(layout, {os.path.join(root, name): data for name, data in files.items()}))
        _write(root, files)
        if git is not None:
            stage(git, [layout.to_git(path) for path in files])
    return InitResult(root, tuple(files), git is not None, repo_id)


def first_files(*, has_git: bool) -> dict[bytes, bytes]:
    """The files of a new project, by path from its root: a repository id of its own, and no setting yet."""
    text = _CONFIG.format(version=VERSION, repo_id=os.urandom(16).hex())
    own = {} if has_git else {MARKER + b"/.gitignore": _OWN_GITIGNORE}
    return {MARKER + b"/config": text.encode("ascii"), **own, IGNORE_FILE: _IGNORE}


def _git_for(root: bytes, environment: Environment, *, subdir: bool) -> GitRepo:
    git = find_git(root, environment.environ)
    if git is None:
        raise NotInRepository(
            f"{os.fsdecode(root)} is not inside a Git repository",
            path=root,
            hint="`git init` first, or `dvtool init --no-scm` to work without Git",
        )
    if root != git.worktree and not subdir:
        raise UsageError(
            f"{os.fsdecode(root)} is not the top of its Git repository",
            path=root,
            hint=f"run it in {os.fsdecode(git.worktree)}, or `dvtool init --subdir` for this directory alone",
        )
    return git


def _refuse_existing(root: bytes, *, force: bool) -> None:
    marker = os.path.join(root, MARKER)
    if os.path.islink(marker) or (os.path.lexists(marker) and not os.path.isdir(marker)):
        raise UnsafeInput(f"{os.fsdecode(marker)} is not a directory", path=marker, hint="move it away")
    if os.path.lexists(os.path.join(marker, b"config")) and not force:
        raise UsageError(
            f"{os.fsdecode(root)} is a dvtool project already",
            path=root,
            hint="`dvtool init -f` writes .dvtool/config anew and leaves all data alone",
        )


def _old_id(path: bytes) -> str | None:
    """The repository id of an earlier init: remotes know the repository by it."""
    key = parse_key("core.repo_id")
    try:
        for entry in parse_config(read_config_file(path), os.fsdecode(path)):
            if entry.key == key:
                parse_value(key, entry.value)
                return entry.value
    except DvtoolError:
        return None
    return None


def _write(root: bytes, files: dict[bytes, bytes]) -> None:
    path = root
    try:
        make_dirs(os.path.join(root, MARKER))
        for directory in (root, os.path.join(root, MARKER)):
            discard_parts(directory)
        # The config last: a killed init leaves no half project that counts as whole.
        for name in reversed(files):
            path = os.path.join(root, name)
            write_file(path, files[name])
    except OSError as error:
        raise storage_error(error, "write", path) from error

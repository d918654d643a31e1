"""Which Git repository a directory belongs to."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from dvtool.errors import storage_error
from dvtool.git.run import GitRepo
from dvtool.git.run import Output
from dvtool.git.run import git_environment
from dvtool.git.run import git_failed
from dvtool.git.run import run_git

_STEERING = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
)
_UNUSUAL_CONFIG = re.compile(rb"worktree|\[\s*include|bare\s*=\s*(true|yes|on|1)|bare\s*\n", re.IGNORECASE)
_NO_WORKTREE = (b"not a git repository", b"must be run in a work tree", b"is outside repository")
_QUESTIONS = ("--show-toplevel", "--absolute-git-dir", "--git-common-dir")
_UNSURE = object()


def find_git(start: bytes, environ: Mapping[str, str]) -> GitRepo | None:
    """The repository whose work tree holds the directory *start*; None outside of one.

    The usual case, a plain ``.git`` directory at or above *start*, costs no process.
    """
    start = os.path.realpath(start)
    if not any(name in environ for name in _STEERING):
        try:
            found = _plain(start, environ)
        except OSError as error:
            raise storage_error(error, "look for a Git repository in", start) from error
        if found is None or isinstance(found, GitRepo):
            return found
    return _asked(start, environ)


def _plain(start: bytes, environ: Mapping[str, str]) -> GitRepo | object | None:
    if b".git" in start.split(b"/"):
        return _UNSURE
    device = os.stat(start).st_dev
    directory = start
    while True:
        candidate = os.path.join(directory, b".git")
        if os.path.lexists(candidate):
            return GitRepo(directory, candidate, candidate, environ) if _is_plain(candidate) else _UNSURE
        # HEAD: perhaps a bare repository. Another device: git stops there, unless told not to.
        if os.path.lexists(os.path.join(directory, b"HEAD")) or os.stat(directory).st_dev != device:
            return _UNSURE
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory = parent


def _is_plain(git_dir: bytes) -> bool:
    if os.path.islink(git_dir) or os.path.lexists(os.path.join(git_dir, b"commondir")):
        return False
    try:
        with open(os.path.join(git_dir, b"config"), "rb") as file:
            config = file.read()
    except OSError:
        return False
    whole = all(os.path.exists(os.path.join(git_dir, name)) for name in (b"HEAD", b"objects", b"refs"))
    return whole and _UNUSUAL_CONFIG.search(config) is None


def _asked(start: bytes, environ: Mapping[str, str]) -> GitRepo | None:
    output = _rev_parse(start, environ, _QUESTIONS)
    if output is None:
        return None
    answers = output.stdout.removesuffix(b"\n").split(b"\n")
    if len(answers) != len(_QUESTIONS):
        # A line feed in a path: rev-parse has no -z, so one question at a time.
        outputs = [_rev_parse(start, environ, (question,)) for question in _QUESTIONS]
        answers = [each.stdout.removesuffix(b"\n") for each in outputs if each is not None]
    worktree, git_dir, common_dir = (os.path.normpath(os.path.join(start, answer)) for answer in answers)
    # With GIT_WORK_TREE set, git also answers from outside of it.
    if os.path.commonpath([worktree, start]) != worktree:
        return None
    return GitRepo(worktree, git_dir, common_dir, environ)


def _rev_parse(start: bytes, environ: Mapping[str, str], questions: tuple[str, ...]) -> Output | None:
    args = ("rev-parse", "--path-format=absolute", *questions)
    output = run_git(start, git_environment(environ), args, None, (0, 128))
    if output.code == 0:
        return output
    if any(text in output.stderr for text in _NO_WORKTREE):
        return None
    raise git_failed(args, output)

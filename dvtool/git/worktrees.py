"""All work trees of a repository, and what an operation that is under way in one of them still needs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import storage_error
from dvtool.git.run import GitRepo
from dvtool.git.run import run_git

_TODO_LINE = re.compile(
    r"(?:p|pick|r|reword|e|edit|s|squash|f|fixup|d|drop|revert|m|merge)\s+(?:-[cC]\s+)?([0-9a-f]{4,64})(?:\s|$)",
    re.ASCII,
)
_HEADS = (
    b"MERGE_HEAD",
    b"CHERRY_PICK_HEAD",
    b"REVERT_HEAD",
    b"REBASE_HEAD",
    b"BISECT_START",
    b"rebase-merge/orig-head",
    b"rebase-merge/onto",
    b"rebase-apply/orig-head",
    b"rebase-apply/onto",
    b"rebase-apply/original-commit",
    b"sequencer/head",
)
_AUTOSTASHES = (b"MERGE_AUTOSTASH", b"rebase-merge/autostash", b"rebase-apply/autostash")
_TODO_LISTS = (b"rebase-merge/git-rebase-todo", b"sequencer/todo")
_RANGES = (b"rebase-merge", b"rebase-apply")


class Worktrees(NamedTuple):
    """``open``: those that are there, the asked one first. ``gone``: paths of linked ones that cannot be entered."""

    open: tuple[GitRepo, ...]
    gone: tuple[bytes, ...]


class UnderWay(NamedTuple):
    """What a merge, rebase, cherry-pick, revert or bisect refers to: commits, and stash-like commits."""

    commits: tuple[str, ...]
    autostashes: tuple[str, ...]


def worktrees(repo: GitRepo) -> Worktrees:
    """This work tree, the main one and every linked one. Raises `DvtoolError` where the main one is unknown."""
    found = [repo]
    gone = []
    if repo.git_dir != repo.common_dir:
        main = _main(repo)
        if main is not None:
            found.append(GitRepo(main, repo.common_dir, repo.common_dir, repo.environ))
    for git_dir in _linked(repo):
        if git_dir == repo.git_dir:
            continue
        path = os.path.dirname(os.path.join(git_dir, _line(git_dir, b"gitdir") or b"gone/.git"))
        path = os.path.normpath(path)
        if os.path.lexists(os.path.join(path, b".git")):
            found.append(GitRepo(path, git_dir, repo.common_dir, repo.environ))
        else:
            gone.append(path)
    return Worktrees(tuple(found), tuple(gone))


def under_way(repo: GitRepo) -> UnderWay:
    """What the operation that stopped halfway in this work tree still refers to.

    Commits may be given by any name that git resolves. Raises `StorageError`.
    """
    commits: dict[str, None] = {}
    for name in _HEADS:
        for line in _lines(repo.git_dir, name):
            commits[line.split()[0]] = None
    for name in _TODO_LISTS:
        for line in _lines(repo.git_dir, name):
            if (match := _TODO_LINE.match(line)) is not None:
                commits[match[1]] = None
    for folder in _RANGES:
        heads = _lines(repo.git_dir, folder + b"/orig-head")
        onto = _lines(repo.git_dir, folder + b"/onto")
        if heads and onto:
            listed = repo.run("rev-list", "--end-of-options", heads[0], "^" + onto[0]).stdout
            commits.update(dict.fromkeys(listed.decode("ascii").split()))
    autostashes = [line for name in _AUTOSTASHES for line in _lines(repo.git_dir, name)]
    return UnderWay(tuple(commits), tuple(autostashes))


def _linked(repo: GitRepo) -> Iterator[bytes]:
    folder = os.path.join(repo.common_dir, b"worktrees")
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    except OSError as error:
        raise storage_error(error, "list", folder) from error
    for name in names:
        git_dir = os.path.join(folder, name)
        if os.path.isdir(git_dir):
            yield git_dir


def _main(repo: GitRepo) -> bytes | None:
    """The main work tree, as seen from a linked one; None for a bare repository."""
    env = {name: value for name, value in repo.environ.items() if not name.startswith("GIT_")}
    env["GIT_DIR"] = os.fsdecode(repo.common_dir)

    def asked(*args: str) -> bytes:
        return run_git(repo.common_dir, env, ("config", *args), None, (0, 1)).stdout.removesuffix(b"\n")

    stated = asked("--get", "core.worktree")
    if stated:
        return os.path.normpath(os.path.join(repo.common_dir, stated))
    if asked("--type=bool", "--get", "core.bare") == b"true":
        return None
    if os.path.basename(repo.common_dir) == b".git":
        return os.path.dirname(repo.common_dir)
    raise DvtoolError(
        f"the main work tree of {os.fsdecode(repo.common_dir)} is not known here",
        path=repo.common_dir,
        hint="run this in the main work tree",
    )


def _line(folder: bytes, name: bytes) -> bytes:
    """A path in a file: everything but the last line end, for a path may hold others."""
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return file.read().removesuffix(b"\n")
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise storage_error(error, "read", os.path.join(folder, name)) from error


def _lines(folder: bytes, name: bytes) -> list[str]:
    text = _line(folder, name).decode("utf-8", "replace")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]

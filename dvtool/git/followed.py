"""What hooks know of where the data of a work tree stands, and of a rebase that is not over yet."""

from __future__ import annotations

import os
import re

from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_file
from dvtool.errors import storage_error
from dvtool.git.run import GitRepo
from dvtool.git.run import checked_revision
from dvtool.git.worktree import pointer_pathspecs

_NAME = b"followed"
_COMMIT = re.compile(rb"[0-9a-f]{40}|[0-9a-f]{64}")


def read_followed(repo: GitRepo) -> str | None:
    """The commit to which hooks brought the data last; None where they never did."""
    try:
        with open(_path(repo), "rb") as file:
            text = file.read(100).strip()
    except OSError:
        return None
    return text.decode("ascii") if _COMMIT.fullmatch(text) else None


def write_followed(repo: GitRepo, commit: str) -> None:
    """Note it. Lost, it costs a hook nothing but the knowledge of earlier ones that were passed over."""
    path = _path(repo)
    try:
        make_dirs(os.path.dirname(path))
        write_file(path, commit.encode("ascii") + b"\n", durable=False)
    except OSError as error:
        raise storage_error(error, "write", path) from error


def pointers_changed(repo: GitRepo, rev: str) -> list[bytes]:
    """Pointers and locks of all projects that may differ from a commit, by one process."""
    args = ("diff-index", "--name-only", "-z", "--no-renames", "--no-relative", "--end-of-options")
    output = repo.run(*args, checked_revision(rev), "--", *pointer_pathspecs(locks=True))
    return [path for path in output.stdout.split(b"\0") if path]


def is_rebasing(repo: GitRepo) -> bool:
    """Whether commits of a rebase are still to come: the hook post-rewrite is called after the last."""
    if os.path.isdir(os.path.join(repo.git_dir, b"rebase-apply")):
        return True
    try:
        with open(os.path.join(repo.git_dir, b"rebase-merge", b"git-rebase-todo"), "rb") as file:
            return any(line.strip() and not line.startswith(b"#") for line in file)
    except OSError:
        return False


def _path(repo: GitRepo) -> bytes:
    return os.path.join(repo.git_dir, b"dvtool", _NAME)

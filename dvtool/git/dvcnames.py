"""The files by which DVC says what it tracks, wherever Git has them: in commits, the index, work trees."""

from __future__ import annotations

import os
from collections.abc import Iterator

from dvtool.git.listing import matching_files
from dvtool.git.run import GitRepo

_NAMES = (b"*.dvc", b"dvc.lock", b"Dvcfile")
_REGULAR = (b"100644", b"100755")
DVC_PATHSPECS = tuple(b":(top,glob)**/" + name for name in _NAMES)


def names_dvc_data(path: bytes) -> bool:
    """Whether a file of that name says what DVC tracks."""
    *folders, name = path.split(b"/")
    if b".dvc" in folders:
        return False
    return name in _NAMES or (name.endswith(b".dvc") and name != b".dvc")


def dvc_files_in_worktree(repo: GitRepo) -> list[bytes]:
    """Those that exist and that git tracks or would track, sorted."""
    found = (path for path in matching_files(repo, _NAMES) if names_dvc_data(path))
    return [path for path in found if os.path.isfile(os.path.join(repo.worktree, path))]


def staged_dvc_files(repo: GitRepo) -> Iterator[tuple[bytes, str]]:
    """Path and blob of those in the index; of a conflict each side."""
    for line in repo.run("ls-files", "-s", "-z", "--", *DVC_PATHSPECS).stdout.split(b"\0"):
        facts, _, path = line.partition(b"\t")
        if facts and facts.split()[0] in _REGULAR and names_dvc_data(path):
            yield path, facts.split()[1].decode("ascii")

"""What a merge left undecided in Git's index: the three versions of each file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from dvtool.git.ignoremerge import NAME as IGNORE_FILE
from dvtool.git.ignoremerge import is_ignore_file
from dvtool.git.run import GitRepo
from dvtool.git.worktree import names_data
from dvtool.git.worktree import pathspec_below
from dvtool.git.worktree import pointer_pathspecs

_REGULAR = (b"100644", b"100755")


class Unmerged(NamedTuple):
    """Blobs of one path; None where that side has no such file. In a rebase, ``ours`` is what is built upon."""

    base: str | None
    ours: str | None
    theirs: str | None


def unmerged_files(repo: GitRepo, subdir: bytes = b"") -> dict[bytes, Unmerged]:
    """Pointers, locks and ignore files below a directory that Git could not merge, by path relative to the top."""
    pathspecs = (*pointer_pathspecs(subdir, locks=True), pathspec_below(subdir, IGNORE_FILE))
    return _read(repo.run("ls-files", "-u", "-z", "--", *pathspecs).stdout)


def settled_files(repo: GitRepo, subdir: bytes = b"") -> dict[bytes, Unmerged]:
    """Pointers and locks that were taken over (`git add`) since: Git remembers their versions until the commit."""
    listed = repo.run("ls-files", "--resolve-undo", "-z", "--", *pointer_pathspecs(subdir, locks=True))
    return _read(listed.stdout)


def _read(listed: bytes) -> dict[bytes, Unmerged]:
    found: dict[bytes, dict[bytes, str]] = {}
    for facts, _, path in (line.partition(b"\t") for line in listed.split(b"\0") if line):
        mode, sha, stage = facts.split()
        if mode in _REGULAR and (names_data(path, locks=True) or is_ignore_file(path)):
            found.setdefault(path, {})[stage] = sha.decode("ascii")
    return {path: Unmerged(*(stages.get(stage) for stage in (b"1", b"2", b"3"))) for path, stages in found.items()}


def blobs_of(files: Iterable[Unmerged]) -> set[str]:
    """The blobs of all versions."""
    return {sha for each in files for sha in each if sha is not None}


_CONTINUE = {
    b"rebase-merge": "git rebase --continue",
    b"rebase-apply": "git rebase --continue",
    b"CHERRY_PICK_HEAD": "git cherry-pick --continue",
    b"REVERT_HEAD": "git revert --continue",
    b"MERGE_HEAD": "git commit",
}


def continuation(repo: GitRepo) -> str:
    """The command that goes on with what stopped in this work tree; empty where nothing did."""
    return next((go_on for name, go_on in _CONTINUE.items() if os.path.lexists(os.path.join(repo.git_dir, name))), "")

"""What the next commit brings into Git that none of its parents has, or what one commit has that another has not."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Iterator
from typing import NamedTuple

from dvtool.git.listing import blobs_at
from dvtool.git.revisions import head
from dvtool.git.roots import MARKER
from dvtool.git.roots import roots_of_markers
from dvtool.git.run import GitRepo
from dvtool.git.run import checked_revision
from dvtool.git.worktree import LOCK_NAME
from dvtool.git.worktree import POINTER_SUFFIX
from dvtool.git.worktree import is_pointer_path

_REGULAR = (b"100644", b"100755")
_RAW = ("--raw", "-z", "--no-renames", "--no-abbrev", "--no-relative", "--diff-filter=AMT")


class NewFile(NamedTuple):
    """A file with other content than before; ``before`` is None where there was none."""

    path: bytes
    blob: str
    before: str | None


def staged_files(repo: GitRepo) -> list[NewFile]:
    """Regular files in the index that differ from ``HEAD``, and in a merge from each side, sorted by path."""
    current = head(repo)
    if current is None:
        return [NewFile(path, sha, None) for path, sha in _indexed(repo)]
    found = _changed(repo, "diff-index", "--cached", current)
    for other in _merged(repo):
        from_there = {(file.path, file.blob) for file in _changed(repo, "diff-index", "--cached", other)}
        found = [file for file in found if (file.path, file.blob) in from_there]
    return found


def files_between(repo: GitRepo, old: str, new: str) -> list[NewFile]:
    """Regular files of the commit *new* that differ from *old*."""
    return _changed(repo, "diff-tree", "-r", old, new)


def sizes(repo: GitRepo, blobs: Iterable[str]) -> dict[str, int]:
    """Bytes of each blob; of those that this clone has, in a partial one."""
    wanted = sorted(set(blobs))
    if not wanted:
        return {}
    names = "".join(f"{name}\n" for name in wanted).encode("ascii")
    answers = repo.run("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=names).stdout.splitlines()
    known = (answer.split() for answer in answers)
    return {name.decode("ascii"): int(size) for name, size in known if size.isdigit()}


class OwnFiles(NamedTuple):
    """Files of dvtool's own: ``roots`` as `project_roots` has them, pointers and locks by path with their blobs."""

    roots: list[bytes]
    pointers: dict[bytes, str]
    locks: dict[bytes, str]


def own_files_staged(repo: GitRepo) -> OwnFiles:
    """Those of the index, by one process."""
    wanted = [b":(top,glob)**/" + name for name in (MARKER, LOCK_NAME, b"*" + POINTER_SUFFIX)]
    return _own_files(repo, _indexed(repo, wanted))


def own_files_at(repo: GitRepo, rev: str) -> OwnFiles:
    """Those of a commit, in projects that stand in this work tree."""
    return _own_files(repo, blobs_at(repo, rev).items())


def _own_files(repo: GitRepo, files: Iterable[tuple[bytes, str]]) -> OwnFiles:
    markers = []
    found = OwnFiles([], {}, {})
    for path, sha in files:
        if is_pointer_path(path):
            found.pointers[path] = sha
        elif path.endswith(MARKER):
            markers.append(path)
        elif path.rpartition(b"/")[2] == LOCK_NAME:
            found.locks[path] = sha
    found.roots.extend(roots_of_markers(repo, markers))
    return found


def _indexed(repo: GitRepo, specs: list[bytes] | None = None) -> Iterator[tuple[bytes, str]]:
    for facts, _, path in _lines(repo.run("ls-files", "-s", "-z", "--", *(specs or [])).stdout):
        mode, sha, stage = facts.split()
        if mode in _REGULAR and stage == b"0":
            yield path, sha.decode("ascii")


def _changed(repo: GitRepo, command: str, *args: str) -> list[NewFile]:
    *options, last = (checked_revision(arg) if not arg.startswith("-") else arg for arg in args)
    fields = iter(repo.run(command, *_RAW, *options, last, "--").stdout.split(b"\0"))
    found = []
    for facts, path in zip(fields, fields):
        _, mode, old, new, _ = facts[1:].split(b" ")
        if mode in _REGULAR:
            found.append(NewFile(path, new.decode("ascii"), old.decode("ascii") if old.strip(b"0") else None))
    return found


def _merged(repo: GitRepo) -> list[str]:
    try:
        with open(os.path.join(repo.git_dir, b"MERGE_HEAD"), "rb") as file:
            return file.read().decode("ascii", "replace").split()
    except OSError:
        return []


def _lines(output: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    return (line.partition(b"\t") for line in output.split(b"\0") if line)

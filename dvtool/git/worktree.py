"""Pointer files in the work tree, in the index and in commits; what git tracks; staging."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple

from dvtool.git.run import GitRepo
from dvtool.git.run import checked_revision
from dvtool.model.paths import DEFINITION_NAME

POINTER_SUFFIX = b".dvt"
LOCK_NAME = b"dvtool.lock"
_MARKER = b".dvtool/config"
_REGULAR = (b"100644", b"100755")
_EMPTY = frozenset(
    {
        "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
        "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
    }
)
"""The names of the empty blob."""
# Pathspecs in one argument list: far below the 128 KiB that the smallest system allows.
_CHUNK = 200
_MOST_CHUNKS = 3


class Change(NamedTuple):
    """A pointer that differs from a commit. An object name is None where the side has no such file,
    and ``new`` also where the content in the work tree is not in the index."""

    path: bytes
    status: str
    old: str | None
    new: str | None


def pointer_pathspecs(subdir: bytes = b"", *, locks: bool = False) -> list[bytes]:
    """Pathspecs for the pointers below a directory (relative to the top; empty: everywhere), and for locks."""
    return [pathspec_below(subdir, b"*" + POINTER_SUFFIX), *([pathspec_below(subdir, LOCK_NAME)] if locks else [])]


def pointers_in_worktree(
    repo: GitRepo, subdir: bytes = b"", *, nested: bool = False, locks: bool = False
) -> list[bytes]:
    """Sorted paths of the pointer files that exist and that git tracks or would track.

    Those of another dvtool project further down are left out unless *nested*; *locks* are in it on demand, here
    and below. A symbolic link is in the list: who reads it must refuse to follow.
    """
    output = repo.run(
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        *pointer_pathspecs(subdir, locks=locks),
        pathspec_below(subdir, _MARKER),
    )
    listed = set(_split(output.stdout))
    found = {path for path in listed if names_data(path, locks=locks)} if nested else _own(listed, subdir, locks=locks)
    return sorted(path for path in found if _is_file(os.path.join(repo.worktree, path)))


def own_files(repo: GitRepo, subdir: bytes = b"") -> list[bytes]:
    """Sorted paths of the pointers, locks and definitions that exist and that git tracks or would track.

    As `pointers_in_worktree`, by one process for all three. What a merge left in conflict is named several times.
    """
    options = ["-z", "--cached", "--others", "--exclude-standard"]
    wanted = [
        *pointer_pathspecs(subdir, locks=True),
        pathspec_below(subdir, DEFINITION_NAME),
        pathspec_below(subdir, _MARKER),
    ]
    # Git names a file once for each version in the index.
    listed = list(_split(repo.run("ls-files", *options, "--", *wanted).stdout))
    inner = _inner(listed, subdir)
    found = (path for path in listed if not path.startswith(inner) and not path.endswith(_MARKER))
    return sorted(
        path
        for path in found
        if (path.rpartition(b"/")[2] == DEFINITION_NAME or names_data(path, locks=True))
        and _is_file(os.path.join(repo.worktree, path))
    )


def pointers_at(repo: GitRepo, rev: str, subdir: bytes = b"", *, locks: bool = False) -> dict[bytes, str]:
    """Pointer files of a commit: path to blob. Symbolic links are no pointers."""
    args = ["ls-tree", "-r", "-z", "--full-tree", "--end-of-options", checked_revision(rev)]
    output = repo.run(*args, *([b":(top,literal)" + subdir] if subdir else []))
    blobs: dict[bytes, str] = {}
    for line in _split(output.stdout):
        facts, _, path = line.partition(b"\t")
        mode, _, sha = facts.split()
        if mode in _REGULAR and path.endswith((POINTER_SUFFIX, _MARKER, LOCK_NAME)):
            blobs[path] = sha.decode("ascii")
    own = _own(blobs, subdir, locks=locks)
    return {path: sha for path, sha in blobs.items() if path in own}


def staged_pointers(
    repo: GitRepo, subdir: bytes = b"", *, nested: bool = False, locks: bool = False
) -> dict[bytes, list[str]]:
    """Pointer files in the index: path to blobs, several where a merge has left a conflict.

    One that is only intended to be added (`git add -N`) is not in it. With *nested* also those of
    another dvtool project further down.
    """
    output = repo.run(
        "ls-files", "-s", "-z", "--", *pointer_pathspecs(subdir, locks=locks), pathspec_below(subdir, _MARKER)
    )
    blobs: dict[bytes, list[str]] = {}
    for line in _split(output.stdout):
        facts, _, path = line.partition(b"\t")
        mode, sha, _ = facts.split()
        if mode in _REGULAR:
            blobs.setdefault(path, []).append(sha.decode("ascii"))
    for path in _intended(repo, [path for path, shas in blobs.items() if not _EMPTY.isdisjoint(shas)]):
        del blobs[path]
    own = {path for path in blobs if names_data(path, locks=locks)} if nested else _own(blobs, subdir, locks=locks)
    return {path: shas for path, shas in blobs.items() if path in own}


def _intended(repo: GitRepo, paths: Sequence[bytes]) -> Iterator[bytes]:
    """Those of *paths*, with nothing in them in the index, of which the index holds the name alone."""
    if paths:
        output = repo.run("diff-files", "--raw", "-z", "--", *(b":(top,literal)" + path for path in paths))
        fields = iter(_split(output.stdout))
        for facts, path in zip(fields, fields, strict=True):
            if facts.startswith(b":000000 ") and path in paths:
                yield path


def changed_pointers(repo: GitRepo, rev: str = "HEAD", subdir: bytes = b"", *, locks: bool = False) -> list[Change]:
    """Tracked pointers, and *locks*, whose work tree or index version may differ from a commit.

    The index is not refreshed: a touched file with equal content is in the list, so compare
    contents. Untracked pointers are not in it. On an unborn branch there is no ``HEAD`` to ask for.
    """
    args = ["diff-index", "--raw", "--no-renames", "--no-abbrev", "--no-relative", "-z", "--end-of-options"]
    output = repo.run(*args, checked_revision(rev), "--", *pointer_pathspecs(subdir, locks=locks))
    fields = iter(_split(output.stdout))
    changes = []
    for facts, path in zip(fields, fields, strict=True):
        _, _, old, new, status = facts[1:].split(b" ")
        changes.append(Change(path, status.decode("ascii"), _object(old), _object(new)))
    if not changes:
        return []
    markers = _split(repo.run("ls-files", "-z", "--cached", "--", pathspec_below(subdir, _MARKER)).stdout)
    own = _own({*markers, *(change.path for change in changes)}, subdir, locks=locks)
    return [change for change in changes if change.path in own]


def tracked(repo: GitRepo, paths: Sequence[bytes]) -> set[bytes]:
    """Those of *paths* that are in git's index, or are directories with something in it."""
    wanted = set(paths)
    hits: set[bytes] = set()
    # Git reads the whole index each time, so for many paths it is asked for all of it, once.
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    for chunk in chunks if len(chunks) <= _MOST_CHUNKS else [[]]:
        output = repo.run("ls-files", "-z", "--cached", "--", *(b":(top,literal)" + path for path in chunk))
        for entry in _split(output.stdout):
            hits.update(wanted.intersection(_with_parents(entry)))
    return hits


def stage(repo: GitRepo, paths: Iterable[bytes]) -> None:
    """Bring the index to what these files are now; what is gone from the work tree leaves the index."""
    listed = b"\0".join(paths)
    if listed:
        repo.write("update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=listed + b"\0")


def _with_parents(path: bytes) -> Iterator[bytes]:
    while path:
        yield path
        path = path.rpartition(b"/")[0]


def pathspec_below(subdir: bytes, name: bytes) -> bytes:
    """The pathspec of files of that name, which may hold `*`, at any depth below a directory."""
    prefix = b""
    if subdir:
        prefix = b"".join(b"\\" + bytes((byte,)) if byte in b"*?[\\" else bytes((byte,)) for byte in subdir) + b"/"
    return b":(top,glob)" + prefix + b"**/" + name


def _own(paths: Iterable[bytes], subdir: bytes, *, locks: bool = False) -> set[bytes]:
    """The pointers among *paths* that belong to the project at *subdir* and not to one below it."""
    every = set(paths)
    inner = _inner(every, subdir)
    return {path for path in every if names_data(path, locks=locks) and not path.startswith(inner)}


def _inner(paths: Iterable[bytes], subdir: bytes) -> tuple[bytes, ...]:
    """The directories of other projects below the one at *subdir*, each with a slash behind it."""
    own = subdir + b"/" + _MARKER if subdir else _MARKER
    return tuple(path.removesuffix(_MARKER) for path in paths if path.endswith(b"/" + _MARKER) and path != own)


def _is_file(path: bytes) -> bool:
    return os.path.lexists(path) and (os.path.islink(path) or not os.path.isdir(path))


def is_pointer_path(path: bytes) -> bool:
    """Whether a file of that name is a pointer: `.dvt` alone is none."""
    return path.endswith(POINTER_SUFFIX) and not path.endswith(b"/" + POINTER_SUFFIX) and path != POINTER_SUFFIX


def names_data(path: bytes, *, locks: bool) -> bool:
    """Whether a file of that name is a pointer, or a lock where those are wanted too."""
    return is_pointer_path(path) or (locks and (path == LOCK_NAME or path.endswith(b"/" + LOCK_NAME)))


def _object(sha: bytes) -> str | None:
    return sha.decode("ascii") if sha.strip(b"0") else None


def _split(data: bytes) -> Iterator[bytes]:
    return (part for part in data.split(b"\0") if part)

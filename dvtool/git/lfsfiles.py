"""Files that Git LFS keeps: their pointers in Git's index."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dvtool.git.blobs import read_blobs
from dvtool.git.run import GitRepo

_SHORT = 1_024
"""No pointer of Git LFS is as long."""


class Filtered(NamedTuple):
    """A file that goes through the filter, relative to the top: whether it is executable, and what Git itself holds."""

    path: bytes
    executable: bool
    data: bytes


def filtered_files(repo: GitRepo, below: bytes = b"") -> list[Filtered]:
    """The files of the index with ``filter=lfs`` whose content in Git is short enough for a pointer."""
    wanted = [b":(top,literal)" + below] if below else []
    modes: dict[bytes, tuple[bytes, str]] = {}
    for line in repo.run("ls-files", "-s", "-z", "--full-name", "--", *wanted).stdout.split(b"\0"):
        facts, tab, path = line.partition(b"\t")
        if tab and facts.startswith(b"100"):
            mode, sha, _ = facts.split()
            modes[path] = (mode, sha.decode("ascii"))
    paths = _with_filter(repo, modes)
    short = _short(repo, {modes[path][1] for path in paths})
    contents = dict(read_blobs(repo, sorted(short), limit=_SHORT))
    return [
        Filtered(path, modes[path][0] == b"100755", contents[modes[path][1]])
        for path in sorted(paths)
        if modes[path][1] in contents
    ]


def forget_files(repo: GitRepo, paths: Iterable[bytes]) -> None:
    """Take these out of the index; the files themselves stay."""
    listed = b"\0".join(paths)
    if listed:
        repo.write("update-index", "--force-remove", "-z", "--stdin", stdin=listed + b"\0")


def _with_filter(repo: GitRepo, paths: Iterable[bytes]) -> list[bytes]:
    listed = b"\0".join(paths)
    if not listed:
        return []
    output = repo.run("check-attr", "-z", "--stdin", "filter", stdin=listed + b"\0")
    fields = iter(output.stdout.split(b"\0"))
    return [path for path, _, value in zip(fields, fields, fields, strict=False) if value == b"lfs"]


def _short(repo: GitRepo, shas: Iterable[str]) -> list[str]:
    listed = "".join(f"{sha}\n" for sha in sorted(shas)).encode("ascii")
    if not listed:
        return []
    lines = repo.run("cat-file", "--batch-check", stdin=listed).stdout.splitlines()
    found = (line.split() for line in lines)
    return [sha.decode("ascii") for sha, kind, size in found if kind == b"blob" and int(size) < _SHORT]

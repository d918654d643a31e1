"""The files that git tracks, in a commit or in the work tree, one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import IO
from typing import NamedTuple

from dvtool.git.run import GitRepo
from dvtool.git.run import checked_revision

_BLOCK = 1 << 16


class GitFile(NamedTuple):
    """``mode`` is git's ("100644", "100755", "120000", "160000"); ``size`` is None where it was not asked for.

    ``sha``: of the blob, in a commit.
    """

    path: bytes
    mode: str
    size: int | None
    sha: str = ""


def files_at(repo: GitRepo, rev: str, below: bytes = b"", *, sizes: bool = False) -> Iterator[GitFile]:
    """The files of a commit at or below a path (empty: everywhere), in order of their paths."""
    args = ["ls-tree", "-r", "-z", "--full-tree", *(["--long"] if sizes else [])]
    wanted = [b":(top,literal)" + below] if below else []
    with repo.stream(*args, "--end-of-options", checked_revision(rev), *wanted) as pipe:
        for line in _parts(pipe):
            facts, _, path = line.partition(b"\t")
            mode, _, sha, *size = facts.split()
            length = int(size[0]) if size and size[0].isdigit() else None
            yield GitFile(path, mode.decode("ascii"), length, sha.decode("ascii"))


def blobs_at(repo: GitRepo, rev: str, below: bytes = b"") -> dict[bytes, str]:
    """The blobs of the regular files of a commit at or below a path, by path."""
    wanted = [b":(top,literal)" + below] if below else []
    found = {}
    with repo.stream("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", checked_revision(rev), *wanted) as pipe:
        for line in _parts(pipe):
            facts, _, path = line.partition(b"\t")
            mode, _, sha = facts.split()
            if mode.startswith(b"100"):
                found[path] = sha.decode("ascii")
    return found


def files_in_worktree(repo: GitRepo, below: bytes = b"") -> Iterator[GitFile]:
    """The files that git tracks, or would track with ``git add``, at or below a path; modes are those of the index.

    What is not in the index yet has an empty mode. The order is not defined, and a file in a
    conflict comes several times.
    """
    wanted = [b":(top,literal)" + below] if below else []
    options = ["--cached", "--others", "--exclude-standard", "--stage", "-z", "--full-name"]
    with repo.stream("ls-files", *options, "--", *wanted) as pipe:
        for line in _parts(pipe):
            facts, tab, path = line.partition(b"\t")
            if tab and len(facts.split()) == 3:
                yield GitFile(path, facts.split()[0].decode("ascii"), None)
            else:
                yield GitFile(line, "", None)


def _parts(pipe: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while block := pipe.read(_BLOCK):
        *whole, rest = (rest + block).split(b"\0")
        yield from whole


def matching_files(repo: GitRepo, names: Iterable[bytes], below: bytes = b"") -> list[bytes]:
    """The files at or below a path, sorted, that git tracks or would track and whose name, or end of the path, is one
    of *names*, with ``*`` for any part of a name."""
    prefix = b"".join(b"\\" + bytes((byte,)) if byte in b"*?[\\" else bytes((byte,)) for byte in below)
    wanted = [b":(top,glob)" + (prefix + b"/" if prefix else b"") + b"**/" + name for name in names]
    options = ["--cached", "--others", "--exclude-standard", "-z", "--full-name"]
    output = repo.run("ls-files", *options, "--", *wanted)
    return sorted({path for path in output.stdout.split(b"\0") if path})

"""Contents of Git blobs, many through one process."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from itertools import islice
from typing import IO

from dvtool.errors import FormatError
from dvtool.errors import MissingData
from dvtool.git.run import GitRepo
from dvtool.git.run import checked_revision

# Names written before answers are read: 200 lines of 65 bytes fit the smallest pipe (16 KiB), so no side can block.
_AHEAD = 200
POINTER_LIMIT = 1 << 20


def read_blobs(repo: GitRepo, shas: Iterable[str], *, limit: int = POINTER_LIMIT) -> Iterator[tuple[str, bytes]]:
    """Name and content of each blob, in the order asked.

    Raises `MissingData` for an object that is not here, `FormatError` for one that is no blob
    or longer than *limit* bytes.
    """
    names = iter(shas)
    ahead = list(islice(names, _AHEAD))
    if not ahead:
        return
    with repo.start("cat-file", "--batch") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            while ahead:
                process.stdin.write("".join(f"{checked_revision(name)}\n" for name in ahead).encode("ascii"))
                process.stdin.flush()
                for name in ahead:
                    yield name, _answer(process.stdout, name, limit)
                ahead = list(islice(names, _AHEAD))
        except BaseException:
            process.kill()
            raise


def read_file_at(repo: GitRepo, rev: str, path: bytes, *, limit: int = POINTER_LIMIT) -> bytes | None:
    """The content of a regular file at a revision; None if that revision has no such file."""
    pathspec = b":(top,literal)" + path
    output = repo.run("ls-tree", "-z", "--full-tree", "--end-of-options", checked_revision(rev), pathspec)
    for line in output.stdout.split(b"\0"):
        facts, _, name = line.partition(b"\t")
        if name == path and facts.startswith(b"100"):
            sha = facts.split()[2].decode("ascii")
            return next(iter(read_blobs(repo, [sha], limit=limit)))[1]
    return None


def _answer(pipe: IO[bytes], name: str, limit: int) -> bytes:
    header = pipe.readline().split()
    if len(header) != 3 or header[1] == b"missing":
        raise MissingData(
            f"the Git object {name} is missing", hint="`git fsck` says what is damaged; a new clone may have it"
        )
    if header[1] != b"blob":
        raise FormatError(f"the Git object {name} is a {header[1].decode('ascii', 'replace')}, not a file")
    size = int(header[2])
    if size > limit:
        raise FormatError(f"the Git blob {name} has {size} bytes, more than the {limit} allowed for such a file")
    data = pipe.read(size + 1)
    if len(data) != size + 1:
        raise MissingData(f"git stopped while sending the object {name}", hint="check the repository with `git fsck`")
    return data[:-1]

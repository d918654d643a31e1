"""What happened to pointers over the history."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import IO
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.git.dvcnames import DVC_PATHSPECS
from dvtool.git.dvcnames import names_dvc_data
from dvtool.git.revisions import stashes
from dvtool.git.run import GitRepo
from dvtool.git.run import checked_revision
from dvtool.git.worktree import names_data
from dvtool.git.worktree import pointer_pathspecs

# --full-history: by default git leaves out a side branch whose changes a merge threw away, and its data with it.
_RAW = ("--raw", "-z", "--no-abbrev", "--root", "--no-color", "--no-ext-diff", "--no-relative")
_BLOCK = 1 << 16
_COMMIT = b"\x01"
_REGULAR = (b"100644", b"100755")


class PointerBlob(NamedTuple):
    """A version of a pointer file and a commit that brought it in."""

    commit: str
    path: bytes
    blob: str


class Version(NamedTuple):
    """A commit that changed a file. ``time`` is ISO 8601 with zone; ``path`` is the file's name after
    the commit, ``blob`` its content, None where the commit deleted it."""

    commit: str
    author: str
    email: str
    time: str
    subject: str
    path: bytes
    blob: str | None


def all_pointer_blobs(
    repo: GitRepo,
    revs: Iterable[str] | None = None,
    *,
    subdir: bytes = b"",
    reflog: bool = False,
    locks: bool = False,
    dvc: bool = False,
) -> Iterator[PointerBlob]:
    """Every pointer version in the history of *revs*, each with a commit that brought it in. *dvc*: DVC's, not ours.

    Without *revs*: of all refs, all linked work trees and all stash entries. *reflog* adds
    what only reflogs remember, *locks* those of pipelines. The same blob may come several times.
    """
    lines = [checked_revision(rev) for rev in revs] if revs is not None else stashes(repo)
    if revs is not None and not lines and not reflog:
        return
    sources = (["--all"] if revs is None else []) + (["--reflog"] if reflog else [])
    args = [
        "log",
        *_RAW,
        "--format=%x01%H",
        "--no-follow",
        "--no-renames",
        "--full-history",
        "--diff-merges=separate",
        *sources,
    ]
    stdin = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    pathspecs = DVC_PATHSPECS if dvc else pointer_pathspecs(subdir, locks=locks)
    with repo.stream(*args, "--stdin", "--", *pathspecs, stdin=stdin) as pipe:
        commit = ""
        fields = _fields(pipe)
        for field in fields:
            if field.startswith(_COMMIT):
                commit = field[1:].decode("ascii")
                continue
            _, mode, _, sha, _ = field.lstrip(b"\n:").split(b" ")
            path = next(fields)
            if mode in _REGULAR:
                yield PointerBlob(commit, path, sha.decode("ascii"))


def last_pointer_blobs(repo: GitRepo) -> Iterator[PointerBlob]:
    """Every version of a pointer or lock that refs, stashes and reflogs know, the newest first.

    Each with the last commit that has it, or, where it was not replaced since or a merge replaced it, with one that
    brought it in.
    """
    lines = "".join(f"{line}\n" for line in stashes(repo)).encode("ascii")
    args = ["log", *_RAW, "--format=%x01%H %P", "--no-follow", "--no-renames", "--full-history"]
    sources = ["--diff-merges=separate", "--all", "--reflog", "--stdin"]
    with repo.stream(*args, *sources, "--", *pointer_pathspecs(locks=True), stdin=lines) as pipe:
        commit, parent = "", ""
        fields = _fields(pipe)
        for field in fields:
            if field.startswith(_COMMIT):
                commit, *above = field[1:].decode("ascii").split()
                parent = above[0] if len(above) == 1 else ""
                continue
            old_mode, mode, old, sha, _ = field.lstrip(b"\n:").split(b" ")
            path = next(fields)
            if not names_data(path, locks=True):
                continue
            if mode in _REGULAR:
                yield PointerBlob(commit, path, sha.decode("ascii"))
            if old_mode in _REGULAR and parent:
                yield PointerBlob(parent, path, old.decode("ascii"))


def pointer_blobs_of(repo: GitRepo, commits: Sequence[str], *, dvc: bool = False) -> Iterator[PointerBlob]:
    """Every pointer and lock that one of *commits* holds, each version with one commit that has it; or *dvc*'s.

    Costs one listing and what differs between neighbours, so give commits of one line of history
    one after the other. Pointers of all dvtool projects in the repository. Raises `DvtoolError`
    for a commit that git cannot read: none is passed over.
    """
    wanted = list(dict.fromkeys(map(checked_revision, commits)))
    if not wanted:
        return
    is_wanted = names_dvc_data if dvc else partial(names_data, locks=True)
    pathspecs = DVC_PATHSPECS if dvc else pointer_pathspecs(locks=True)
    listed = repo.run("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", wanted[0]).stdout
    for line in listed.split(b"\0"):
        facts, _, path = line.partition(b"\t")
        mode, _, sha = facts.split() if facts else (b"", b"", b"")
        if mode in _REGULAR and is_wanted(path):
            yield PointerBlob(wanted[0], path, sha.decode("ascii"))
    pairs = "".join(f"{commit} {before}\n" for before, commit in pairwise(wanted)).encode("ascii")
    if not pairs:
        return
    args = ["diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", "--always"]
    seen = 1
    with repo.stream(*args, "--", *pathspecs, stdin=pairs) as pipe:
        fields = _fields(pipe)
        commit = ""
        for field in fields:
            if not field.startswith(b":"):
                commit = field.decode("ascii").strip()
                seen += 1
                continue
            _, mode, _, sha, _ = field.split(b" ")
            path = next(fields)
            if mode in _REGULAR and is_wanted(path):
                yield PointerBlob(commit, path, sha.decode("ascii"))
    if seen != len(wanted):
        raise DvtoolError(
            f"git could read only {seen} of {len(wanted)} commits", hint="`git fsck` says what is damaged"
        )


def commits_touching_pointers(repo: GitRepo, revs: Iterable[str], *, subdir: bytes = b"") -> Iterator[str]:
    """The commits in the history of *revs* that changed a pointer, newest first."""
    lines = [checked_revision(rev) for rev in revs]
    if not lines:
        return
    stdin = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    with repo.stream("rev-list", "--full-history", "--stdin", "--", *pointer_pathspecs(subdir), stdin=stdin) as pipe:
        for line in pipe:
            yield line.decode("ascii").strip()


def log_path(repo: GitRepo, path: bytes, *, rev: str = "HEAD", follow: bool = True) -> list[Version]:
    """The commits that changed one file, newest first, through renames if *follow*."""
    form = "--format=%x01%H%x00%an%x00%ae%x00%aI%x00%s"
    renames = ["--follow", "--find-renames"] if follow else ["--no-follow", "--no-renames"]
    args = ["log", *_RAW, form, "--encoding=UTF-8", *renames, "--end-of-options", checked_revision(rev)]
    fields = iter(repo.run(*args, "--", b":(top,literal)" + path).stdout.split(b"\0"))
    versions = []
    about: list[str] = []
    for field in fields:
        if field.startswith(_COMMIT):
            head = [field[1:], next(fields), next(fields), next(fields), next(fields)]
            about = [part.decode("utf-8", "replace") for part in head]
        elif field.strip(b"\n"):
            _, _, _, sha, status = field.lstrip(b"\n:").split(b" ")
            name = next(fields)
            if status[:1] in (b"R", b"C"):
                name = next(fields)
            blob = sha.decode("ascii") if sha.strip(b"0") else None
            versions.append(Version(about[0], about[1], about[2], about[3], about[4], name, blob))
    return versions


def _fields(pipe: IO[bytes]) -> Iterator[bytes]:
    """The NUL-terminated fields of a stream, empty ones left out."""
    rest = b""
    while block := pipe.read(_BLOCK):
        *whole, rest = (rest + block).split(b"\0")
        for field in whole:
            if field:
                yield field
    if rest:
        yield rest

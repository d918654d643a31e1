"""Clones of other people's repositories: bare, without the contents of files until they are read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from collections.abc import Mapping

from dvtool.errors import AccessDenied
from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.git.run import Argument
from dvtool.git.run import GitRepo
from dvtool.git.run import Output
from dvtool.git.run import checked_revision
from dvtool.git.run import git_environment
from dvtool.git.run import git_failed
from dvtool.git.run import run_git

_STEERING = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
"""What a hook finds set for the repository that it runs in."""

DEFAULT = "refs/dvtool/head"
"""The branch that the server names, as of the last `refresh`."""

_USERINFO = re.compile(r"(://)[^/@\s]+@")
_DENIED = (
    "Authentication failed",
    "Permission denied",
    "could not read Username",
    "could not read Password",
    "error: 401",
    "error: 403",
    "Access denied",
    "terminal prompts disabled",
)
_NOT_THERE = (
    "not found",
    "does not exist",
    "does not appear to be a git repository",
    "not a git repository",
    "error: 404",
)
# A fetch may start the housekeeping of Git: it ends with the fetch, so that nothing runs on behind our back.
_SETTLED: tuple[Argument, ...] = ("-c", "gc.autoDetach=false", "-c", "maintenance.autoDetach=false")


def elsewhere(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables for Git in another repository than the one that a hook may be running in."""
    return {name: value for name, value in environ.items() if name not in _STEERING}


def bare_repository(directory: bytes, environ: Mapping[str, str], *, is_own: bool) -> GitRepo:
    """The bare repository in *directory*. *is_own*: we made it, so that Git need not ask whose it is."""
    own = {"GIT_DIR": os.fsdecode(directory)} if is_own else {}
    return GitRepo(directory, directory, directory, {**elsewhere(environ), **own})


def make_clone(repo: GitRepo, url: str) -> None:
    """Begin an empty clone of *url*, which was checked, in the existing directory of *repo*."""
    for args in (
        ("init", "--quiet", "--bare", "--template="),
        ("config", "remote.origin.url", url),
        ("config", "remote.origin.promisor", "true"),
        ("config", "remote.origin.partialclonefilter", "blob:none"),
    ):
        _run(repo, args, url)


def refresh(repo: GitRepo, url: str) -> None:
    """Bring the branches and tags of the clone to what the server has. Raises `StorageError`, `AccessDenied`."""
    fetch = ("fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no")
    refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
    args = (*_SETTLED, *fetch, "--filter=blob:none", "origin", *refs)
    output = run_git(repo.worktree, _env(repo), (*args, f"+HEAD:{DEFAULT}"), None, range(256))
    if output.code and b"couldn't find remote ref HEAD" in output.stderr:
        # The branch that the server calls its default one does not exist.
        _run(repo, args, url)
    elif output.code:
        raise _failed(fetch, output, url)
    else:
        # So that HEAD~2 means what it means over there.
        _run(repo, ("update-ref", "--no-deref", "HEAD", DEFAULT), url)


def fetch_blobs(repo: GitRepo, commit: str, wanted: Iterable[str], url: str) -> None:
    """Bring those of the blobs of a commit that the clone lacks, by one request: Git would ask for each alone."""
    absent = set(wanted)
    if absent:
        args = ("rev-list", "--objects", "--missing=print", "--no-walk", "--end-of-options", checked_revision(commit))
        lines = _run(repo, args, url).stdout.decode("utf-8", "surrogateescape").splitlines()
        absent &= {line[1:] for line in lines if line.startswith("?")}
    if absent:
        fetch = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no")
        quick = ("-c", "fetch.negotiationAlgorithm=noop", "-c", "maintenance.auto=false", "-c", "gc.auto=0")
        names = "".join(f"{sha}\n" for sha in sorted(absent)).encode("ascii")
        _run(repo, (*quick, *fetch, "--filter=blob:none", "origin", "--stdin"), url, names)


def is_repository(directory: bytes) -> bool:
    """Whether a bare repository may lie in *directory*: Git itself says the rest."""
    return all(os.path.exists(os.path.join(directory, name)) for name in (b"HEAD", b"objects", b"refs"))


def shown_url(url: str) -> str:
    """The URL without a user and a password."""
    return _USERINFO.sub(r"\1", url)


def _run(repo: GitRepo, args: tuple[Argument, ...], url: str, stdin: bytes | None = None) -> Output:
    output = run_git(repo.worktree, _env(repo), args, stdin, range(256))
    if output.code:
        raise _failed(args, output, url)
    return output


def _env(repo: GitRepo) -> dict[str, str]:
    return git_environment(repo.environ, writing=True)


def _failed(args: tuple[Argument, ...], output: Output, url: str) -> DvtoolError:
    text = output.stderr.decode("utf-8", "replace")
    shown = shown_url(url)
    reason = _USERINFO.sub(r"\1", _reason(text, output.code))
    if "dubious ownership" in text:
        return git_failed(args, output)
    if "not allowed" in text and "transport" in text:
        return UnsafeInput(f"{shown}: Git refuses this kind of URL: {reason}", hint="use https://, ssh:// or a path")
    if any(each in text for each in _DENIED):
        return AccessDenied(
            f"{shown}: Git was not let in: {reason}",
            hint=f"try `git ls-remote {shown}`: what Git can read there, dvtool can",
        )
    hint = "check the network; what is here already can still be used with a full commit id"
    if any(each in text for each in _NOT_THERE):
        hint = f"check the spelling, and that you may read it: git ls-remote {shown}"
    return StorageError(f"{shown} cannot be read: {reason}", hint=hint)


def _reason(text: str, code: int) -> str:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("hint:", "warning:"))]
    fatal = next((line for line in lines if line.startswith("fatal: ")), lines[0] if lines else f"exit code {code}")
    return fatal.removeprefix("fatal: ").removeprefix("error: ")
